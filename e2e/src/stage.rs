//! The PostgreSQL and the Redis of one run: private ones, or those that the caller named.

use futures::future::OptionFuture;

use anyhow::{Context, Result};

use crate::{
    folder::RunFolder,
    services::{Access, Durability, Encryption, Place, Postgres, Redis},
};

/// The database that a private PostgreSQL gets.
pub const DATABASE: &str = "posthouse";
/// Where connections are encrypted: our database by TLS and certificate alone. `postgres` is for those who look from outside.
const RULES: &str = "\
hostssl posthouse all 127.0.0.1/32 password clientcert=verify-ca
host postgres all 127.0.0.1/32 password
";

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
    /// What encrypted connections take, where they are.
    pub encryption: Option<Encryption>,
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
        let private_postgres = postgres(folder, durability, Access::Loopback, None);
        let private_redis = redis(folder, Access::Loopback, None);
        let postgres = given.database_url.is_none().then_some(private_postgres);
        let redis = given.redis_url.is_none().then_some(private_redis);
        let (postgres, redis) = tokio::join!(OptionFuture::from(postgres), OptionFuture::from(redis));
        let (postgres, redis) = (postgres.transpose()?, redis.transpose()?);
        let database_url = given.database_url.or_else(|| postgres.as_ref().map(|p| p.url(DATABASE)));
        let redis_url = given.redis_url.or_else(|| redis.as_ref().map(Redis::url));
        Ok(Self {
            database_url: database_url.context("there is a database either way")?,
            redis_url: redis_url.context("there is a Redis either way")?,
            encryption: None,
            postgres,
            redis,
        })
    }

    /// Starts both for these callers.
    ///
    /// # Errors
    /// A service does not come up.
    pub async fn start_for(access: Access, folder: &RunFolder, durability: Durability) -> Result<Self> {
        let encryption = match access {
            Access::Encrypted => Some(Encryption::create(&folder.data().join("certificates"))?),
            Access::Loopback | Access::Networks => None,
        };
        let tls = encryption.as_ref();
        let (postgres, redis) =
            tokio::try_join!(postgres(folder, durability, access, tls), redis(folder, access, tls))?;
        let url = postgres.url(DATABASE);
        Ok(Self {
            database_url: tls.map_or_else(|| url.clone(), |tls| tls.of_database(&url)),
            redis_url: redis.url(),
            encryption,
            postgres: Some(postgres),
            redis: Some(redis),
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

async fn postgres(
    folder: &RunFolder,
    durability: Durability,
    access: Access,
    tls: Option<&Encryption>,
) -> Result<Postgres> {
    let place = Place::new(folder.data(), folder.logs())?;
    let postgres = match (access, tls) {
        (_, Some(tls)) => Postgres::start_encrypted(place, &tls.server, RULES).await?,
        (Access::Networks, None) => Postgres::start_in_networks(place, durability).await?,
        (_, None) => Postgres::start(place, durability).await?,
    };
    postgres.create_database(DATABASE).await?;
    Ok(postgres)
}

async fn redis(folder: &RunFolder, access: Access, tls: Option<&Encryption>) -> Result<Redis> {
    let place = Place::new(folder.data(), folder.logs())?;
    match (access, tls) {
        (_, Some(tls)) => Redis::start_encrypted(place, &tls.server).await,
        (Access::Networks, None) => Redis::start_in_networks(place).await,
        (_, None) => Redis::start(place).await,
    }
}
