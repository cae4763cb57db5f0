//! A connection to PostgreSQL beside the roles' own, for what no API tells.

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

/// An open connection.
pub struct Database {
    /// Takes statements.
    pub client: Client,
    driver: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Database {
    /// Connects.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn open(url: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connect to PostgreSQL")?;
        Ok(Self { client, driver: tokio::spawn(connection) })
    }

    /// Takes leave of the server.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn close(self) -> Result<()> {
        drop(self.client);
        self.driver.await?.context("PostgreSQL's connection")
    }
}
