//! Lists of what a project is made of read about what they return: what was deleted costs nothing, and what another project
//! has costs nothing, although there everything is as what is rare here.

use posthouse_schema::{
    endpoint::{Endpoint, EndpointFilter},
    endpoint_owner,
    event_type::EventType,
    filter::FilterRow,
    ids::{EndpointId, ProjectId},
    meta_event::MetaEvent,
    page::Sort,
    portal_link::{PortalLink, PortalLinkFilter},
    source::{Source, SourceFilter},
    subscription::{Subscription, SubscriptionFilter},
    words::SourceKind,
};

use crate::{
    fixture::{Fixture, fixture, run},
    rows_read::{FEW, Verdict, measured, page},
};

/// Things of each kind, of which a quarter are the project's own.
const MADE: i64 = 16_000;
/// So many of the newest were deleted.
const DELETED: i64 = 4_000;
/// What is left of the project's own: the most that a search by a part of the name may look at.
const OWN: i64 = (MADE - DELETED) / 4;

struct Ledger {
    fixture: Fixture,
    /// Gets a few of the project's subscriptions.
    rare: EndpointId,
    /// Gets every tenth.
    some: EndpointId,
    /// Only links list it.
    listed: EndpointId,
}

/// Lays out things of two projects in the table `made`, from which each test makes what it lists, and the endpoints.
async fn laid_out() -> Ledger {
    let mut fixture = fixture().await;
    let (rare, some, listed) = (EndpointId::generate(), EndpointId::generate(), EndpointId::generate());
    let (own, other) = (fixture.project.to_bits(), ProjectId::generate().to_bits());
    let theirs = EndpointId::generate().to_bits();
    let hex = |id: EndpointId| format!("{:032x}", id.to_bits());
    let common = hex(fixture.endpoint);
    let (rare_hex, some_hex, listed_hex) = (hex(rare), hex(some), hex(listed));
    for statement in [
        format!("INSERT INTO projects (id, organisation_id, name, kind, config) SELECT '{other:032x}', organisation_id, 'other', kind, config FROM projects"),
        format!("CREATE TABLE made AS SELECT n, CASE WHEN n % 4 = 0 THEN '{own:032x}' ELSE '{other:032x}' END::uuid AS project_id, (lpad(to_hex((extract(epoch FROM now()) * 1000)::int8 - n), 12, '0') || left(md5(n::text), 20))::uuid AS id, CASE WHEN n % 4 <> 0 OR n % 800 = 0 THEN 'rare' WHEN n % 800 = 400 THEN 'listed' WHEN n % 40 = 20 THEN 'some' ELSE 'common' END AS what, CASE WHEN n <= {DELETED} THEN now() END AS ended_at FROM generate_series(1, {MADE}) n"),
        "ALTER TABLE made ADD endpoint_id uuid".into(),
        format!("UPDATE made SET endpoint_id = (CASE WHEN n % 4 <> 0 THEN '{theirs:032x}' WHEN what = 'rare' THEN '{rare_hex}' WHEN what = 'some' THEN '{some_hex}' WHEN what = 'listed' THEN '{listed_hex}' ELSE '{common}' END)::uuid"),
        "INSERT INTO endpoints (project_id, id, name, url, advanced_signatures, owner_id) SELECT DISTINCT project_id, endpoint_id, 'e', 'https://example.com', true, what FROM made ON CONFLICT DO NOTHING".into(),
    ] {
        run(&mut fixture.conn, &statement).await;
    }
    Ledger { fixture, rare, some, listed }
}

async fn fill(ledger: &mut Ledger, table: &str, columns: &str, values: &str) {
    let statement =
        format!("INSERT INTO {table} (project_id, id, {columns}) SELECT project_id, id, {values} FROM made");
    run(&mut ledger.fixture.conn, &statement).await;
    run(&mut ledger.fixture.conn, &format!("ANALYZE {table}")).await;
}

fn part(name: &str) -> Option<String> {
    Some(name.to_string())
}

#[tokio::test]
async fn endpoints_are_listed_without_reading_the_others() {
    let mut ledger = laid_out().await;
    let columns = "name, url, advanced_signatures, owner_id, deleted_at";
    fill(&mut ledger, "endpoints", columns, "what || n, 'https://example.com', true, what, ended_at").await;
    let (project, ids) = (ledger.fixture.project, vec![ledger.rare, ledger.some, ledger.listed]);
    let conn = &mut ledger.fixture.conn;
    let mut verdict = Verdict::default();
    let all = EndpointFilter::default;
    for (what, filter, sort, expected, read_max) in [
        ("newest endpoints", all(), Sort::Descending, 10, FEW),
        ("oldest endpoints", all(), Sort::Ascending, 10, FEW),
        ("a common name", EndpointFilter { name_part: part("COMMON"), ..all() }, Sort::Descending, 10, FEW),
        ("a rare name", EndpointFilter { name_part: part("rare"), ..all() }, Sort::Descending, 10, OWN + FEW),
        ("no name", EndpointFilter { name_part: part("none"), ..all() }, Sort::Descending, 0, OWN + FEW),
        ("a rare owner", EndpointFilter { owner_id: part("rare"), ..all() }, Sort::Descending, 10, FEW),
        ("an owner of some", EndpointFilter { owner_id: part("some"), ..all() }, Sort::Descending, 10, FEW),
        ("a common owner", EndpointFilter { owner_id: part("common"), ..all() }, Sort::Ascending, 10, FEW),
        ("no owner", EndpointFilter { owner_id: part("none"), ..all() }, Sort::Descending, 0, FEW),
        ("three endpoints", EndpointFilter { ids, ..all() }, Sort::Descending, 3, FEW),
    ] {
        let ask = async |conn: &mut _| Endpoint::list(conn, project, &filter, &page(sort)).await;
        let (found, read) = measured(conn, "endpoints", ask).await;
        verdict.add(what, (found.rows.len(), expected), (read, read_max));
    }
    verdict.give();
}

#[tokio::test]
async fn endpoints_of_owners_are_found_without_reading_the_others() {
    let mut ledger = laid_out().await;
    let columns = "name, url, advanced_signatures, owner_id, deleted_at";
    fill(&mut ledger, "endpoints", columns, "what || n, 'https://example.com', true, what, ended_at").await;
    let project = ledger.fixture.project;
    let conn = &mut ledger.fixture.conn;
    let mut verdict = Verdict::default();
    let ask = async |conn: &mut _| endpoint_owner::newest_of(conn, project, &["rare", "common", "none"], 10).await;
    let (found, read) = measured(conn, "endpoints", ask).await;
    verdict.add("the newest of two owners", (found.len(), 20), (read, FEW));
    let ask = async |conn: &mut _| endpoint_owner::counts_of(conn, project, &["rare", "none"]).await;
    let (found, read) = measured(conn, "endpoints", ask).await;
    assert_eq!(found, [("rare".to_string(), 16)]);
    assert!(read <= FEW, "the number of an owner's endpoints: {read} rows were read for 16");
    // All at once are in no order of an index: here it counts how common the name is for the planner.
    run(conn, "UPDATE endpoints SET owner_id = 'rare' || right(md5(id::text), 2) WHERE project_id <> (SELECT project_id FROM made WHERE n = 4)").await;
    run(conn, "VACUUM ANALYZE endpoints").await;
    let ask = async |conn: &mut _| endpoint_owner::ids_of(conn, project, "rare", 100).await;
    let (found, read) = measured(conn, "endpoints", ask).await;
    verdict.add("all of an owner, deleted ones too", (found.len(), 21), (read, FEW));
    verdict.give();
}

#[tokio::test]
async fn subscriptions_are_listed_without_reading_the_others() {
    let mut ledger = laid_out().await;
    fill(&mut ledger, "subscriptions", "name, endpoint_id, deleted_at", "what || n, endpoint_id, ended_at").await;
    let (project, common) = (ledger.fixture.project, ledger.fixture.endpoint);
    let (rare, some) = (ledger.rare, ledger.some);
    let conn = &mut ledger.fixture.conn;
    let mut verdict = Verdict::default();
    let all = SubscriptionFilter::default;
    for (what, filter, sort, expected, read_max) in [
        ("newest subscriptions", all(), Sort::Descending, 10, FEW),
        ("oldest subscriptions", all(), Sort::Ascending, 10, FEW),
        ("a common name", SubscriptionFilter { name_part: part("common"), ..all() }, Sort::Descending, 10, FEW),
        ("a rare name", SubscriptionFilter { name_part: part("rare"), ..all() }, Sort::Descending, 10, OWN + FEW),
        ("a rare endpoint", SubscriptionFilter { endpoint_ids: vec![rare], ..all() }, Sort::Descending, 10, FEW),
        ("an endpoint of some", SubscriptionFilter { endpoint_ids: vec![some], ..all() }, Sort::Descending, 10, FEW),
        ("a common endpoint", SubscriptionFilter { endpoint_ids: vec![common], ..all() }, Sort::Ascending, 10, FEW),
        ("two endpoints", SubscriptionFilter { endpoint_ids: vec![rare, common], ..all() }, Sort::Descending, 10, FEW),
        ("no endpoint", SubscriptionFilter { endpoint_ids: vec![EndpointId::NONE], ..all() }, Sort::Descending, 0, FEW),
    ] {
        let ask = async |conn: &mut _| Subscription::list(conn, project, &filter, &page(sort)).await;
        let (found, read) = measured(conn, "subscriptions", ask).await;
        verdict.add(what, (found.rows.len(), expected), (read, read_max));
    }
    verdict.give();
}

#[tokio::test]
async fn filters_are_listed_without_reading_those_of_other_subscriptions() {
    let mut ledger = laid_out().await;
    let (project, subscription) = (ledger.fixture.project, ledger.fixture.subscription);
    fill(&mut ledger, "subscriptions", "name, endpoint_id", "what || n, endpoint_id").await;
    // The project's own are all of one subscription, but for one.
    let owner = format!("CASE WHEN n % 4 = 0 AND n > 4 THEN '{:032x}'::uuid ELSE id END", subscription.to_bits());
    fill(&mut ledger, "subscription_filters", "subscription_id, event_type", &format!("{owner}, 't' || n")).await;
    let conn = &mut ledger.fixture.conn;
    let mut verdict = Verdict::default();
    let ask = async |conn: &mut _| FilterRow::list(conn, project, subscription, 10).await;
    let (found, read) = measured(conn, "subscription_filters", ask).await;
    verdict.add("the newest filters of a subscription", (found.len(), 10), (read, FEW));
    let lonely = Subscription::list(conn, project, &SubscriptionFilter::default(), &page(Sort::Descending)).await;
    let lonely = lonely.unwrap().rows.into_iter().map(|row| row.id).find(|id| *id != subscription).unwrap();
    let ask = async |conn: &mut _| FilterRow::list(conn, project, lonely, 10).await;
    let (found, read) = measured(conn, "subscription_filters", ask).await;
    verdict.add("the one filter of a subscription", (found.len(), 1), (read, FEW));
    verdict.give();
}

#[tokio::test]
async fn sources_are_listed_without_reading_the_others() {
    let mut ledger = laid_out().await;
    let kind = "CASE what WHEN 'rare' THEN 'pub_sub' WHEN 'some' THEN 'rest_api' ELSE 'http' END";
    let provider = "CASE what WHEN 'rare' THEN 'github' WHEN 'some' THEN 'shopify' ELSE '' END";
    let values = format!("n, what || n, {kind}, {provider}, ended_at");
    fill(&mut ledger, "sources", "mask_id, name, kind, provider, deleted_at", &values).await;
    let project = ledger.fixture.project;
    let conn = &mut ledger.fixture.conn;
    let mut verdict = Verdict::default();
    let all = SourceFilter::default;
    for (what, filter, sort, expected, read_max) in [
        ("newest sources", all(), Sort::Descending, 10, FEW),
        ("oldest sources", all(), Sort::Ascending, 10, FEW),
        ("a common name", SourceFilter { name_part: part("common"), ..all() }, Sort::Descending, 10, FEW),
        ("a rare name", SourceFilter { name_part: part("rare"), ..all() }, Sort::Descending, 10, OWN + FEW),
        ("a common kind", SourceFilter { kind: Some(SourceKind::Http), ..all() }, Sort::Descending, 10, FEW),
        ("a kind of some", SourceFilter { kind: Some(SourceKind::RestApi), ..all() }, Sort::Descending, 10, FEW),
        ("a rare kind", SourceFilter { kind: Some(SourceKind::PubSub), ..all() }, Sort::Descending, 10, FEW),
        ("no kind", SourceFilter { kind: Some(SourceKind::DbChangeStream), ..all() }, Sort::Descending, 0, FEW),
        ("a rare provider", SourceFilter { provider: part("github"), ..all() }, Sort::Ascending, 10, FEW),
        ("no provider", SourceFilter { provider: part("twitter"), ..all() }, Sort::Descending, 0, FEW),
    ] {
        let ask = async |conn: &mut _| Source::list(conn, project, &filter, &page(sort)).await;
        let (found, read) = measured(conn, "sources", ask).await;
        verdict.add(what, (found.rows.len(), expected), (read, read_max));
    }
    verdict.give();
}

#[tokio::test]
async fn portal_links_are_listed_without_reading_the_others() {
    let mut ledger = laid_out().await;
    // Of an owner, or a list of endpoints.
    let values = "what || n, CASE WHEN what IN ('rare', 'common') THEN what ELSE '' END, CASE WHEN what IN ('rare', 'common') THEN '{}' ELSE ARRAY[endpoint_id] END, 'static_token', n, n::text::bytea, ended_at";
    let columns = "name, owner_id, endpoint_ids, auth_type, token, token_hash, revoked_at";
    fill(&mut ledger, "portal_links", columns, values).await;
    let (project, nothing) = (ledger.fixture.project, EndpointId::NONE);
    let (rare, some, listed) = (ledger.rare, ledger.some, ledger.listed);
    let conn = &mut ledger.fixture.conn;
    let mut verdict = Verdict::default();
    let all = PortalLinkFilter::default;
    for (what, filter, sort, expected, read_max) in [
        ("newest links", all(), Sort::Descending, 10, FEW),
        ("oldest links", all(), Sort::Ascending, 10, FEW),
        ("a common name", PortalLinkFilter { name_part: part("common"), ..all() }, Sort::Descending, 10, FEW),
        ("a rare name", PortalLinkFilter { name_part: part("rare"), ..all() }, Sort::Descending, 10, OWN + FEW),
        ("a common owner", PortalLinkFilter { owner_id: part("common"), ..all() }, Sort::Descending, 10, FEW),
        ("a rare owner", PortalLinkFilter { owner_id: part("rare"), ..all() }, Sort::Descending, 10, FEW),
        ("no owner", PortalLinkFilter { owner_id: part("none"), ..all() }, Sort::Descending, 0, FEW),
        ("a rare endpoint", PortalLinkFilter { endpoint_ids: vec![listed], ..all() }, Sort::Descending, 10, FEW),
        ("an endpoint of an owner", PortalLinkFilter { endpoint_ids: vec![rare], ..all() }, Sort::Ascending, 10, FEW),
        ("no endpoint", PortalLinkFilter { endpoint_ids: vec![nothing], ..all() }, Sort::Descending, 0, FEW),
        // Which of its links are the newest no index knows: all of the endpoint's are read, or the project's.
        (
            "an endpoint of many",
            PortalLinkFilter { endpoint_ids: vec![some], ..all() },
            Sort::Descending,
            10,
            OWN / 10 + FEW,
        ),
    ] {
        let ask = async |conn: &mut _| PortalLink::list(conn, project, &filter, &page(sort)).await;
        let (found, read) = measured(conn, "portal_links", ask).await;
        verdict.add(what, (found.rows.len(), expected), (read, read_max));
    }
    verdict.give();
}

#[tokio::test]
async fn meta_events_are_listed_without_reading_the_others() {
    let mut ledger = laid_out().await;
    let columns = "event_type, payload, status, strategy, retry_interval_seconds, retry_limit, next_send_time";
    fill(&mut ledger, "meta_events", columns, "'t', '', 'Success', 'linear', 1, 1, now()").await;
    let project = ledger.fixture.project;
    let conn = &mut ledger.fixture.conn;
    let mut verdict = Verdict::default();
    let back = |seconds: i64| chrono::Utc::now() - chrono::TimeDelta::seconds(seconds);
    let (hour, minute) = (chrono::TimeDelta::hours(1), chrono::TimeDelta::minutes(1));
    let whole = (back(3_600), back(-3_600));
    let newest = MetaEvent::list(conn, project, whole, &page(Sort::Descending)).await.unwrap().rows;
    let middle = newest[0].id.created_at() - chrono::TimeDelta::seconds(8);
    for (what, window, sort, expected) in [
        ("newest meta events", whole, Sort::Descending, 10),
        ("oldest meta events", whole, Sort::Ascending, 10),
        ("those up to a time", (middle - hour, middle), Sort::Descending, 10),
        ("those since a time", (middle, middle + hour), Sort::Ascending, 10),
        ("those of 20 ms", (middle, middle + chrono::TimeDelta::milliseconds(19)), Sort::Descending, 5),
        ("those before all", (middle - hour, middle - minute), Sort::Descending, 0),
    ] {
        let ask = async |conn: &mut _| MetaEvent::list(conn, project, window, &page(sort)).await;
        let (found, read) = measured(conn, "meta_events", ask).await;
        verdict.add(what, (found.rows.len(), expected), (read, FEW));
    }
    // Few among many: there is an index of all projects' by age as well.
    run(conn, "DELETE FROM meta_events m USING made WHERE made.n % 4 = 0 AND made.n % 400 > 0 AND m.id = made.id")
        .await;
    run(conn, "VACUUM ANALYZE meta_events").await;
    for (what, sort) in [("the newest of few", Sort::Descending), ("the oldest of few", Sort::Ascending)] {
        let ask = async |conn: &mut _| MetaEvent::list(conn, project, whole, &page(sort)).await;
        let (found, read) = measured(conn, "meta_events", ask).await;
        verdict.add(what, (found.rows.len(), 10), (read, FEW));
    }
    verdict.give();
}

#[tokio::test]
async fn event_types_are_listed_without_reading_the_others() {
    let mut ledger = laid_out().await;
    fill(&mut ledger, "event_types", "name", "'t' || n").await;
    let project = ledger.fixture.project;
    let conn = &mut ledger.fixture.conn;
    let mut verdict = Verdict::default();
    let ask = async |conn: &mut _| EventType::list(conn, project, 10).await;
    let (found, read) = measured(conn, "event_types", ask).await;
    verdict.add("the newest event types", (found.len(), 10), (read, FEW));
    verdict.give();
}
