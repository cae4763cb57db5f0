//! Connections to PostgreSQL. This is the one place where they are made: pools, migrations and tests all come here, so
//! that `sslmode` holds for each of them as libpq means it.

mod address;
mod fault;
mod silence;
mod tls;
mod verifier;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode as Asked},
    error::SqlState,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::address::{Address, Ssl, SslMode};

/// A new connection to the database at `url`: `postgres://user:password@host:port/database`, or libpq's list of
/// `keyword=value`. `sslmode`, `sslrootcert` (a file, or `system`), `sslcert` and `sslkey` are libpq's; files are read at
/// every connection, so that renewed certificates need no restart. An end that falls silent is noticed by the other in about
/// 10 s, where the URL sets no `connect_timeout`, `tcp_user_timeout` or `keepalives_…` of its own.
///
/// # Errors
/// [`ConnectionError::InvalidConnectionUrl`] for a URL or files that cannot be used, and [`ConnectionError::BadConnection`]
/// when the server is not reached, is not who it should be, or refuses us. Both say in words which check failed, without
/// credentials.
pub async fn connect(url: &str) -> ConnectionResult<AsyncPgConnection> {
    let Address { mut config, ssl } = Address::parse(url).map_err(ConnectionError::InvalidConnectionUrl)?;
    silence::bound(&mut config);
    let mut conn = opened(config, &ssl).await?;
    silence::bound_server(&mut conn).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

async fn opened(mut config: Config, ssl: &Ssl) -> ConnectionResult<AsyncPgConnection> {
    // A socket of this machine is not encrypted, whatever `sslmode` says.
    let is_by_socket =
        config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) && !config.get_hosts().is_empty();
    if is_by_socket || ssl.mode == SslMode::Disable {
        return plain(&mut config).await.map_err(|error| fault::of(&error));
    }
    let tls = tls::settings(ssl).await.map_err(ConnectionError::InvalidConnectionUrl)?;
    let tls = MakeRustlsConnect::new(tls);
    let opened = match ssl.mode {
        SslMode::Allow => match plain(&mut config).await {
            Err(error) if is_unwelcome(&error) => encrypted(&mut config, Asked::Require, tls).await,
            opened => opened,
        },
        SslMode::Prefer => match encrypted(&mut config, Asked::Prefer, tls).await {
            Err(error) if is_unwelcome(&error) || fault::of_tls(&error).is_some() => plain(&mut config).await,
            opened => opened,
        },
        _ => encrypted(&mut config, Asked::Require, tls).await,
    };
    opened.map_err(|error| fault::of(&error))
}

enum Failed {
    Client(tokio_postgres::Error),
    Setup(ConnectionError),
}

async fn plain(config: &mut Config) -> Result<AsyncPgConnection, Failed> {
    let (client, connection) = config.ssl_mode(Asked::Disable).connect(NoTls).await.map_err(Failed::Client)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await.map_err(Failed::Setup)
}

async fn encrypted(config: &mut Config, asked: Asked, tls: MakeRustlsConnect) -> Result<AsyncPgConnection, Failed> {
    let (client, connection) = config.ssl_mode(asked).connect(tls).await.map_err(Failed::Client)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await.map_err(Failed::Setup)
}

/// Whether the server's rules (`pg_hba.conf`) refuse this kind of connection, so that the other kind may be let in.
fn is_unwelcome(error: &Failed) -> bool {
    matches!(error, Failed::Client(error) if error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION))
}
