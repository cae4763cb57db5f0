//! What the PostgreSQL server says of itself: what an operator has to know before its data is trusted to it.

use chrono::{DateTime, Utc};
use diesel::{QueryResult, QueryableByName, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// The first version that has what our statements use, as `server_version_num`.
pub const VERSION_MIN: i32 = 150_000;

/// A server, as a connection of ours sees it.
#[derive(Debug, Clone, QueryableByName)]
pub struct Server {
    /// Such as `15.20`.
    #[diesel(sql_type = sql_types::Text)]
    pub version: String,
    /// The same as a number, such as 150020.
    #[diesel(sql_type = sql_types::Integer)]
    pub version_num: i32,
    /// Whether it only follows another server, and takes no writes.
    #[diesel(sql_type = sql_types::Bool)]
    pub is_standby: bool,
    /// `fsync`.
    #[diesel(sql_type = sql_types::Text)]
    pub fsync: String,
    /// `full_page_writes`.
    #[diesel(sql_type = sql_types::Text)]
    pub full_page_writes: String,
    /// `synchronous_commit`, as connections of this user have it.
    #[diesel(sql_type = sql_types::Text)]
    pub synchronous_commit: String,
    /// Connections that it takes in all.
    #[diesel(sql_type = sql_types::Integer)]
    pub connections_max: i32,
    /// Connections of clients that are open.
    #[diesel(sql_type = sql_types::BigInt)]
    pub connections: i64,
    /// Whether the server is on this machine: its address is the loopback, or there is none.
    #[diesel(sql_type = sql_types::Bool)]
    pub is_local: bool,
    /// The version of TLS by which the connection is encrypted, such as `TLSv1.3`; `None` where it is not.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub tls_version: Option<String>,
    /// Where its data is; `None` where this user may not know.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub data_directory: Option<String>,
    /// Its clock.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub now: DateTime<Utc>,
}

/// Asks the server.
///
/// # Errors
/// The database fails.
pub async fn describe(conn: &mut AsyncPgConnection) -> QueryResult<Server> {
    diesel::sql_query(include_str!("sql/describe_server.sql")).get_result(conn).await
}

/// Asks the server for its clock alone, which takes little but the way.
///
/// # Errors
/// The database fails.
pub async fn clock(conn: &mut AsyncPgConnection) -> QueryResult<DateTime<Utc>> {
    #[derive(QueryableByName)]
    struct Clock {
        #[diesel(sql_type = sql_types::Timestamptz)]
        now: DateTime<Utc>,
    }
    let clock: Clock = diesel::sql_query("SELECT clock_timestamp() AS now").get_result(conn).await?;
    Ok(clock.now)
}
