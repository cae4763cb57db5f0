//! The PostgreSQL and the Redis of one run: private ones, or those that the caller named.

use futures::future::OptionFuture;

use anyhow::{Context, Result};

use crate::{
    folder::RunFolder,
    services::{Durability, Place, Postgres, Redis},
};

/// The database that a private PostgreSQL gets.
const DATABASE: &str = "posthouse";

/// Services that exist already and are used instead of private ones.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `DATABASE_URL`.
    pub database_url: Option<String>,
    /// `REDIS_URL`.
    pub redis_url: Option<String>,
}

/// A database and a Redis that answer.
#[derive(Debug)]
pub struct Stage {
    database_url: String,
    redis_url: String,
    /// `None`: it was given.
    pub postgres: Option<Postgres>,
    /// `None`: it was given.
    pub redis: Option<Redis>,
}

impl Stage {
    /// Starts what is not given.
    ///
    /// # Errors
    /// A service does not come up.
    pub async fn start(folder: &RunFolder, given: Given, durability: Durability) -> Result<Self> {
        let private_postgres = async {
            let postgres = Postgres::start(Place::new(folder.data(), folder.logs())?, durability).await?;
            postgres.create_database(DATABASE).await?;
            anyhow::Ok(postgres)
        };
        let private_redis = async { Redis::start(Place::new(folder.data(), folder.logs())?).await };
        let postgres = given.database_url.is_none().then_some(private_postgres);
        let redis = given.redis_url.is_none().then_some(private_redis);
        let (postgres, redis) = tokio::join!(OptionFuture::from(postgres), OptionFuture::from(redis));
        let (postgres, redis) = (postgres.transpose()?, redis.transpose()?);
        let database_url = given.database_url.or_else(|| postgres.as_ref().map(|p| p.url(DATABASE)));
        let redis_url = given.redis_url.or_else(|| redis.as_ref().map(Redis::url));
        Ok(Self {
            database_url: database_url.context("there is a database either way")?,
            redis_url: redis_url.context("there is a Redis either way")?,
            postgres,
            redis,
        })
    }

    /// Where the roles find the database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Where the roles find Redis.
    #[must_use]
    pub fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// What runs, in a few words.
    #[must_use]
    pub fn describe(&self) -> String {
        let postgres =
            self.postgres.as_ref().map_or("the given PostgreSQL".into(), |p| format!("PostgreSQL {}", p.version()));
        let redis = self.redis.as_ref().map_or("the given Redis".into(), |r| format!("Redis {}", r.version()));
        format!("{postgres}, {redis}")
    }

    /// An error when a private service has ended by itself.
    ///
    /// # Errors
    /// One has.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(postgres) = &mut self.postgres {
            postgres.process().check_alive()?;
        }
        if let Some(redis) = &mut self.redis {
            redis.process().check_alive()?;
        }
        Ok(())
    }

    /// Stops what was started here.
    ///
    /// # Errors
    /// A service did not end in its time; it was killed.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(redis) = &mut self.redis {
            redis.stop().await?;
        }
        if let Some(postgres) = &mut self.postgres {
            postgres.stop().await?;
        }
        Ok(())
    }
}
