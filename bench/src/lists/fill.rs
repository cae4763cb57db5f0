//! The ledger that is listed, and how it is made searchable: by the same statements that index a running system's events.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{Days, Utc};
use posthouse_e2e::database::Database;
use posthouse_schema::{
    event::{Indexed, index_page_all_projects, merge_index_all_projects},
    ids::{EndpointId, ProjectId, SourceId, SubscriptionId},
    partitions,
    pool::{self, PooledConnection, Purpose},
};
use serde_json::json;

use crate::{gateway::Gateway, progress::Progress};

/// Endpoints among which the deliveries are shared out.
const ENDPOINTS: usize = 20;
/// One event in so many has what is rare.
const RARE: u64 = 50_000;

/// What the lists are asked for.
pub struct Filled {
    /// An endpoint that has one delivery in twenty.
    pub endpoint: EndpointId,
    /// An endpoint of a few deliveries.
    pub rare_endpoint: EndpointId,
    /// The subscription of [`Self::endpoint`].
    pub subscription: SubscriptionId,
    /// A subscription of a few deliveries.
    pub rare_subscription: SubscriptionId,
    /// A source of one event in ten.
    pub source: SourceId,
    /// A source of a few events.
    pub rare_source: SourceId,
    /// An idempotency key that one event has.
    pub key: String,
}

/// Fills a new gateway's project with so many events.
pub async fn fill(gateway: &Gateway, events: u64) -> Result<Filled> {
    let pool = pool::build(gateway.database_url(), 1, Purpose::General).context("open the database")?;
    let mut conn = pool.get().await.context("connect to the database")?;
    let today = Utc::now().date_naive();
    // As a system has them that has run for a week.
    partitions::make_ahead(&mut conn, today - Days::new(7), today).await.context("make partitions")?;
    let (mut endpoints, mut subscriptions): (Vec<EndpointId>, Vec<SubscriptionId>) = (Vec::new(), Vec::new());
    for number in 0..=ENDPOINTS {
        let body = json!({"name": format!("endpoint {number}"), "url": format!("http://127.0.0.1:1/{number}")});
        let endpoint = gateway.client.create("endpoints", &body).await?;
        let body = json!({"name": format!("subscription {number}"), "endpoint_id": endpoint});
        subscriptions.push(gateway.client.create("subscriptions", &body).await?.parse().context("an id")?);
        endpoints.push(endpoint.parse().context("an id")?);
    }
    let mut sources: Vec<SourceId> = Vec::new();
    for name in ["common", "rare"] {
        let body = json!({"name": name, "type": "http", "verifier": {"type": "noop"}});
        sources.push(gateway.client.create("sources", &body).await?.parse().context("an id")?);
    }
    let ([endpoint, .., rare_endpoint], [subscription, .., rare_subscription], [source, rare_source]) =
        (&endpoints[..], &subscriptions[..], &sources[..])
    else {
        anyhow::bail!("endpoints, subscriptions and sources were made");
    };
    let project: ProjectId = gateway.project.parse().context("the project's id")?;
    let rare = RARE.min(events / 20).max(1);
    let hex = |bits: u128| format!("{bits:032x}");
    let array = |ids: Vec<u128>| format!("{{{}}}", ids.into_iter().map(hex).collect::<Vec<_>>().join(","));
    let statement = [
        ("{events}", events.to_string()),
        ("{rare}", rare.to_string()),
        ("{endpoints}", ENDPOINTS.to_string()),
        ("{project}", hex(project.to_bits())),
        ("{rare_endpoint}", hex(rare_endpoint.to_bits())),
        ("{rare_subscription}", hex(rare_subscription.to_bits())),
        ("{source}", hex(source.to_bits())),
        ("{rare_source}", hex(rare_source.to_bits())),
        ("{endpoint_ids}", array(endpoints.iter().take(ENDPOINTS).map(|id| id.to_bits()).collect())),
        ("{subscription_ids}", array(subscriptions.iter().take(ENDPOINTS).map(|id| id.to_bits()).collect())),
    ]
    .iter()
    .fold(include_str!("fill.sql").to_string(), |text, (name, value)| text.replace(name, value));
    let database = Database::open(gateway.database_url()).await?;
    database.client.batch_execute(&statement).await.context("fill the ledger")?;
    database.close().await?;
    index(&mut conn, events).await?;
    Ok(Filled {
        endpoint: *endpoint,
        rare_endpoint: *rare_endpoint,
        subscription: *subscription,
        rare_subscription: *rare_subscription,
        source: *source,
        rare_source: *rare_source,
        key: format!("key-{}", events / 20 * 10),
    })
}

/// Makes all events searchable.
async fn index(conn: &mut PooledConnection, events: u64) -> Result<()> {
    let progress = Progress::new("lists", events);
    let mut indexed = 0;
    loop {
        match index_page_all_projects(conn).await.context("index events")? {
            Indexed::Some(count) => indexed += u64::try_from(count)?,
            Indexed::UpToDate => break,
            Indexed::Busy => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        progress.note("searchable", indexed);
    }
    progress.end();
    merge_index_all_projects(conn).await.context("merge the index")?;
    Ok(())
}
