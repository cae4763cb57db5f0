//! Where the deployment's own services are.

use std::path::{Path, PathBuf};

use posthouse_jobs::backing::install_keys;
use posthouse_service::settings::{DatabaseSettings, RedisSettings};
use secrecy::SecretString;
use url::Url;

use crate::exit::WrongUse;

/// Services that a command may need.
#[derive(Debug, clap::Args)]
pub struct Services {
    /// PostgreSQL, as postgres://user:password@host:port/database. DATABASE_URL serves where this is not set.
    #[arg(
        long,
        help_heading = "Services",
        env = "POSTHOUSE_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true,
        hide_short_help = true
    )]
    database_url: Option<SecretString>,
    /// Most connections that this process opens; the tool opens one.
    #[arg(long, help_heading = "Services", env = "POSTHOUSE_DATABASE_POOL_MAX", default_value_t = 10, hide = true)]
    database_pool_max: usize,
    /// Keys of secrets at rest, as ID:KEY, separated by commas: the first one seals, all open.
    #[arg(
        long,
        help_heading = "Services",
        env = "POSTHOUSE_SECRETS_KEY",
        hide_env_values = true,
        value_name = "KEYS",
        global = true,
        hide_short_help = true
    )]
    secrets_key: Option<SecretString>,
    /// A file with such keys, one in a line.
    #[arg(
        long,
        help_heading = "Services",
        env = "POSTHOUSE_SECRETS_KEY_FILE",
        value_name = "FILE",
        global = true,
        hide_short_help = true
    )]
    secrets_key_file: Option<PathBuf>,
    /// Redis, as redis://user:password@host:port/db, redis+cluster://… or redis+sentinel://…. REDIS_URL serves where this
    /// is not set.
    #[arg(
        long,
        help_heading = "Services",
        env = "POSTHOUSE_REDIS_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true,
        hide_short_help = true
    )]
    redis_url: Option<SecretString>,
    /// What all keys in Redis begin with.
    #[arg(long, help_heading = "Services", env = "POSTHOUSE_REDIS_PREFIX", default_value = "posthouse", hide = true)]
    redis_prefix: String,
    /// Certificates (PEM) of the authorities whose word is taken for Redis, instead of the system's.
    #[arg(long, help_heading = "Services", env = "POSTHOUSE_REDIS_CA_FILE", value_name = "FILE", hide = true)]
    redis_ca_file: Option<PathBuf>,
    /// Certificate (PEM) that is shown to Redis.
    #[arg(long, help_heading = "Services", env = "POSTHOUSE_REDIS_TLS_CERT", value_name = "FILE", hide = true)]
    redis_tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, help_heading = "Services", env = "POSTHOUSE_REDIS_TLS_KEY", value_name = "FILE", hide = true)]
    redis_tls_key: Option<PathBuf>,
    /// The proxies through which webhooks leave, as http://host:port or https://host:port, separated by commas.
    #[arg(
        long,
        help_heading = "Services",
        env = "POSTHOUSE_EGRESS_URL",
        value_delimiter = ',',
        hide_env_values = true,
        value_name = "URL",
        global = true,
        hide_short_help = true
    )]
    egress_url: Vec<Url>,
    /// Authorities, PEM, one of which may have signed the proxies' certificates, besides the system's.
    #[arg(
        long,
        help_heading = "Services",
        env = "POSTHOUSE_EGRESS_CA_FILE",
        value_name = "FILE",
        global = true,
        hide_short_help = true
    )]
    egress_ca_file: Option<PathBuf>,
    /// Certificate chain, PEM, that proves a role to the proxies.
    #[arg(
        long,
        help_heading = "Services",
        env = "POSTHOUSE_EGRESS_CLIENT_CERT",
        value_name = "FILE",
        global = true,
        hide_short_help = true
    )]
    egress_client_cert: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(
        long,
        help_heading = "Services",
        env = "POSTHOUSE_EGRESS_CLIENT_KEY",
        value_name = "FILE",
        global = true,
        hide_short_help = true
    )]
    egress_client_key: Option<PathBuf>,
}

/// The egress proxies, and whom they believe.
#[derive(Debug)]
pub struct EgressAddresses<'a> {
    /// Their URLs.
    pub urls: &'a [Url],
    /// Authorities, PEM.
    pub ca_file: Option<&'a Path>,
    /// A certificate chain and its key, PEM.
    pub identity: Option<(&'a Path, &'a Path)>,
}

impl Services {
    /// The database.
    ///
    /// # Errors
    /// It is not named, or the keys of its secrets cannot be used.
    pub fn database(&self) -> anyhow::Result<DatabaseSettings> {
        let database = self
            .known_database()
            .ok_or_else(|| WrongUse::because("which database? Give --database-url, or set POSTHOUSE_DATABASE_URL"))?;
        install_keys(&database)?;
        Ok(database)
    }

    /// The database, if it is named.
    #[must_use]
    pub fn known_database(&self) -> Option<DatabaseSettings> {
        let database_url = self.database_url.clone()?;
        Some(DatabaseSettings {
            database_url,
            database_pool_max: self.database_pool_max,
            secrets_key: self.secrets_key.clone(),
            secrets_key_file: self.secrets_key_file.clone(),
        })
    }

    /// Redis, if it is named.
    #[must_use]
    pub fn known_redis(&self) -> Option<RedisSettings> {
        Some(RedisSettings {
            redis_url: self.redis_url.clone()?,
            redis_prefix: self.redis_prefix.clone(),
            redis_ca_file: self.redis_ca_file.clone(),
            redis_tls_cert: self.redis_tls_cert.clone(),
            redis_tls_key: self.redis_tls_key.clone(),
        })
    }

    /// The egress proxies, as far as they are named.
    #[must_use]
    pub fn egress(&self) -> EgressAddresses<'_> {
        EgressAddresses {
            urls: &self.egress_url,
            ca_file: self.egress_ca_file.as_deref(),
            identity: self.egress_client_cert.as_deref().zip(self.egress_client_key.as_deref()),
        }
    }
}
