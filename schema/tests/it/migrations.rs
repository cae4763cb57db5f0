//! Migrations apply once, are seen as pending before, and can be reverted and applied again.

use posthouse_schema::{migrations, testing::TestDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn they_apply_once_and_can_be_redone() {
    let database = TestDatabase::create_empty().await;
    let pending = migrations::pending(database.url()).await.unwrap();
    assert!(!pending.is_empty());
    let both = tokio::join!(migrations::run(database.url()), migrations::run(database.url()));
    let (one, other) = (both.0.unwrap(), both.1.unwrap());
    assert_eq!(one.len() + other.len(), pending.len(), "two at once apply each migration once");
    assert!(migrations::pending(database.url()).await.unwrap().is_empty());
    migrations::revert_last(database.url()).await.unwrap();
    assert_eq!(migrations::pending(database.url()).await.unwrap().len(), 1);
    migrations::run(database.url()).await.unwrap();
}
