//! Who looks at the pages, and which there are.

use std::time::Duration;

use anyhow::{Context, Result};
use posthouse_e2e::database::Database;
use posthouse_schema::{
    browser_session::{self, Life},
    ids::{OrganisationId, ProjectId, UserId},
    organisation,
    plain_token::PlainToken,
    pool::PooledConnection,
    user,
    words::Role,
};

use crate::{gateway::Gateway, lists::fill::Filled};

const EMAIL: &str = "looks@example.com";
const LIFE: Life = Life { idle: Duration::from_hours(12), whole: Duration::from_hours(12) };

/// Makes somebody a member of the project's organisation, and gives them the cookie of a session.
pub async fn sign_in(gateway: &Gateway, conn: &mut PooledConnection, role: Role) -> Result<(UserId, String)> {
    let user = user::insert(conn, EMAIL).await.context("make a user")?;
    let organisation = organisation_of(gateway).await?;
    organisation::set_member(conn, organisation, user, role).await.context("make it a member")?;
    let cookie = PlainToken::generate();
    browser_session::start(conn, user, &cookie, LIFE).await.context("begin a session")?;
    Ok((user, cookie.expose().to_string()))
}

/// The id as PostgreSQL reads it.
fn uuid(id: &str) -> Result<String> {
    let id: ProjectId = id.parse().context("an id")?;
    Ok(format!("{:032x}", id.to_bits()))
}

/// A page's name and address.
type Page = (String, String);

/// Every page, and those of lists with what they are filtered by.
pub async fn pages(gateway: &Gateway, filled: &Filled) -> Result<Vec<Page>> {
    let project = format!("/projects/{}", gateway.project);
    let newest = async |list: &str, query: &str| -> Result<String> {
        let page = gateway.client.get(&format!("{list}?perPage=1{query}")).await?.data()?;
        let id = page.pointer("/content/0/uid").and_then(|id| id.as_str());
        Ok(id.with_context(|| format!("{list}: nothing is listed"))?.to_string())
    };
    let event = newest("events", "").await?;
    let delivery = newest("eventdeliveries", "").await?;
    let failed = newest("eventdeliveries", "&status=Failure").await?;
    let Filled { endpoint, rare_endpoint, subscription, source, key, .. } = filled;
    let organisation = organisation_of(gateway).await?;
    let pages = [
        ("overview, hour", "?period=hour".into()),
        ("overview, day", String::new()),
        ("overview, week", "?period=week".into()),
        ("events", "/events".into()),
        ("events, live", "/events?follow=1".into()),
        ("events, text", "/events?query=rare.type".into()),
        ("events, common endpoint", format!("/events?endpointId={endpoint}")),
        ("events, idempotency key", format!("/events?idempotencyKey={key}")),
        ("event", format!("/events/{event}")),
        ("deliveries", "/deliveries".into()),
        ("deliveries, failed", "/deliveries?status=Failure".into()),
        ("deliveries, rare endpoint", format!("/deliveries?endpointId={rare_endpoint}")),
        ("deliveries, common type", "/deliveries?eventType=type.7".into()),
        ("delivery", format!("/deliveries/{delivery}")),
        ("delivery, failed", format!("/deliveries/{failed}")),
        ("all that failed", "/deliveries/retry".into()),
        ("endpoints", "/endpoints".into()),
        ("endpoints, name", "/endpoints?q=shop+77".into()),
        ("new endpoint", "/endpoints/new".into()),
        ("endpoint", format!("/endpoints/{endpoint}")),
        ("endpoint, edit", format!("/endpoints/{endpoint}/edit")),
        ("subscriptions", "/subscriptions".into()),
        ("subscription", format!("/subscriptions/{subscription}")),
        ("sources", "/sources".into()),
        ("source", format!("/sources/{source}")),
        ("rejected", "/rejected".into()),
        ("batches", "/batches".into()),
        ("meta events", "/meta-events".into()),
        ("test receiver", "/test-receiver".into()),
        ("settings", "/settings".into()),
    ];
    let mut pages: Vec<Page> =
        pages.into_iter().map(|(name, rest)| (name.to_string(), format!("{project}{rest}"))).collect();
    pages.extend([
        ("projects".into(), "/projects".into()),
        ("account".into(), "/account".into()),
        ("organisation".into(), format!("/organisations/{organisation}")),
    ]);
    Ok(pages)
}

async fn organisation_of(gateway: &Gateway) -> Result<OrganisationId> {
    let database = Database::open(gateway.database_url()).await?;
    let statement = format!("SELECT organisation_id::text FROM projects WHERE id = '{}'", uuid(&gateway.project)?);
    let row = database.client.query_one(&statement, &[]).await.context("find the organisation")?;
    database.close().await?;
    let bits = u128::from_str_radix(&row.get::<_, String>(0).replace('-', ""), 16).context("the organisation's id")?;
    Ok(OrganisationId::from_bits(bits))
}
