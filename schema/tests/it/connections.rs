//! What every connection is given, whoever asks for it.

use diesel::{QueryableByName, sql_types::Text};
use diesel_async::RunQueryDsl as _;
use posthouse_schema::{connect::connect, testing::TestDatabase};

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = Text)]
    said: String,
}

/// As the server reads it from its socket.
#[tokio::test]
async fn the_server_notices_a_client_that_falls_silent() {
    let database = TestDatabase::create_empty().await;
    let mut conn = connect(database.url()).await.unwrap();
    let statement = "SELECT concat_ws(',', current_setting('tcp_keepalives_idle'), \
        current_setting('tcp_keepalives_interval'), current_setting('tcp_keepalives_count'), \
        current_setting('tcp_user_timeout')) AS said";
    let found: Said = diesel::sql_query(statement).get_result(&mut conn).await.unwrap();
    assert_eq!(found.said, "5,2,3,10000");
}
