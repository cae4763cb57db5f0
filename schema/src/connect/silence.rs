//! How long an end that says nothing is believed to be there. A network that is cut says no word of it: by the system's own
//! settings a statement would wait for a quarter of an hour, and the server would keep a lost client's locks for two hours.
//! Both ends are told to notice in about 10 s. What the URL says about it goes first.

use std::time::Duration;

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use tokio_postgres::Config;

/// Longest wait for one of the server's addresses, so that there is time for the next one.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// A connection at rest is asked for a sign of life after this,
const IDLE: Duration = Duration::from_secs(5);
/// again after this,
const INTERVAL: Duration = Duration::from_secs(2);
/// and so many times.
const RETRIES: u32 = 3;
/// What was sent has to arrive within this.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// The same for the server's end of the connection. A socket of this machine takes no notice.
const SERVER: &str = "SET tcp_keepalives_idle = '5s'; SET tcp_keepalives_interval = '2s'; SET tcp_keepalives_count = 3; \
    SET tcp_user_timeout = '10s'";

/// Our end.
pub(super) fn bound(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(ARRIVAL_MAX);
    }
    // The client library does not tell its default from the same time in the URL.
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(RETRIES);
    }
}

/// The server's end.
pub(super) async fn bound_server(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute(SERVER).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(url: &str) -> Config {
        let mut config = url.parse().unwrap();
        bound(&mut config);
        config
    }

    #[test]
    fn a_silent_server_is_given_up_unless_the_url_says_otherwise() {
        let plain = bounded("postgres://h/d");
        assert_eq!(plain.get_connect_timeout(), Some(&CONNECT_MAX));
        assert_eq!(plain.get_tcp_user_timeout(), Some(&ARRIVAL_MAX));
        assert_eq!((plain.get_keepalives(), plain.get_keepalives_idle()), (true, IDLE));
        assert_eq!((plain.get_keepalives_interval(), plain.get_keepalives_retries()), (Some(INTERVAL), Some(RETRIES)));
        let own = "connect_timeout=7&tcp_user_timeout=60&keepalives_idle=30&keepalives_interval=9&keepalives_retries=8";
        let own = bounded(&format!("postgres://h/d?{own}"));
        let seconds = Duration::from_secs;
        assert_eq!(own.get_connect_timeout(), Some(&seconds(7)));
        assert_eq!(own.get_tcp_user_timeout(), Some(&seconds(60)));
        assert_eq!(own.get_keepalives_idle(), seconds(30));
        assert_eq!((own.get_keepalives_interval(), own.get_keepalives_retries()), (Some(seconds(9)), Some(8)));
    }
}
