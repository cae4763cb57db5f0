//! Lists of people, of what they belong to and of their keys read about what they return, however many others there are.

use posthouse_schema::{
    api_key::{ApiKey, Owner},
    ids::{OrganisationId, UserId},
    invite::Invite,
    member,
    organisation::Organisation,
    page::Sort,
    project::Project,
};

use crate::{
    fixture::{Fixture, fixture, run},
    rows_read::{FEW, measured, page},
};

/// Things of each kind, of which a quarter are ours.
const MADE: i64 = 16_000;
/// Rows that may be read for a page of a join: each with what it belongs to, of which some more may be passed by.
const FEW_JOINED: i64 = 100;
/// So many of the newest are over: revoked, answered or deleted.
const ENDED: i64 = 4_000;

struct Ledger {
    fixture: Fixture,
    organisation: OrganisationId,
    user: UserId,
}

/// Lays out things of two users and two organisations in the table `made`, from which each test makes what it lists.
async fn laid_out() -> Ledger {
    let mut fixture = fixture().await;
    let (organisation, user) = (OrganisationId::generate(), UserId::generate());
    let (own, other) = (organisation.to_bits(), OrganisationId::generate().to_bits());
    let (us, them) = (user.to_bits(), UserId::generate().to_bits());
    for statement in [
        format!("INSERT INTO organisations (id, name) VALUES ('{own:032x}', 'own'), ('{other:032x}', 'other')"),
        format!("INSERT INTO users (id, email) VALUES ('{us:032x}', 'us'), ('{them:032x}', 'them')"),
        format!(
            "CREATE TABLE made AS SELECT n, CASE WHEN n % 4 = 0 THEN '{own:032x}' ELSE '{other:032x}' END::uuid AS organisation_id, CASE WHEN n % 4 = 0 THEN '{us:032x}' ELSE '{them:032x}' END::uuid AS user_id, (lpad(to_hex((extract(epoch FROM now()) * 1000)::int8 - n), 12, '0') || left(md5(n::text), 20))::uuid AS id, CASE WHEN n <= {ENDED} THEN now() END AS ended_at FROM generate_series(1, {MADE}) n"
        ),
    ] {
        run(&mut fixture.conn, &statement).await;
    }
    Ledger { fixture, organisation, user }
}

async fn fill(ledger: &mut Ledger, table: &str, columns: &str, values: &str) {
    run(&mut ledger.fixture.conn, &format!("INSERT INTO {table} ({columns}) SELECT {values} FROM made")).await;
    run(&mut ledger.fixture.conn, &format!("ANALYZE {table}")).await;
}

const BOTH_ENDS: [(&str, Sort); 2] = [("newest", Sort::Descending), ("oldest", Sort::Ascending)];

#[tokio::test]
async fn invites_are_listed_without_reading_those_that_were_answered() {
    let mut ledger = laid_out().await;
    let columns = "organisation_id, id, invitee_email, role, token_hash, status, expires_at";
    let status = "CASE WHEN ended_at IS NULL THEN 'pending' ELSE 'accepted' END";
    let values = format!("organisation_id, id, n, 'project_viewer', n::text::bytea, {status}, now()");
    fill(&mut ledger, "organisation_invites", columns, &values).await;
    for (what, sort) in BOTH_ENDS {
        let ask = async |conn: &mut _| Invite::list_pending(conn, ledger.organisation, &page(sort)).await;
        let (found, read) = measured(&mut ledger.fixture.conn, "organisation_invites", ask).await;
        assert!(found.rows.len() == 10 && read <= FEW, "{what} invites: {read} rows were read for 10");
    }
}

#[tokio::test]
async fn members_are_listed_without_reading_the_others() {
    let mut ledger = laid_out().await;
    fill(&mut ledger, "users", "id, email", "id, n").await;
    fill(
        &mut ledger,
        "organisation_members",
        "organisation_id, user_id, role",
        "organisation_id, id, 'project_viewer'",
    )
    .await;
    for (what, sort) in BOTH_ENDS {
        let ask = async |conn: &mut _| member::list(conn, ledger.organisation, &page(sort)).await;
        let (found, read) = measured(&mut ledger.fixture.conn, "organisation_members|users", ask).await;
        assert!(found.rows.len() == 10 && read <= FEW_JOINED, "{what} members: {read} rows were read for 10");
    }
}

#[tokio::test]
async fn keys_are_listed_without_reading_the_others() {
    let mut ledger = laid_out().await;
    let columns = "id, mask, hash, name, role, user_id, revoked_at";
    fill(&mut ledger, "api_keys", columns, "id, n, '', 'k', 'api', user_id, ended_at").await;
    // Few among many.
    run(
        &mut ledger.fixture.conn,
        "DELETE FROM api_keys k USING made WHERE made.n % 4 = 0 AND made.n % 400 > 0 AND k.id = made.id",
    )
    .await;
    run(&mut ledger.fixture.conn, "VACUUM ANALYZE api_keys").await;
    for (what, sort) in BOTH_ENDS {
        let ask = async |conn: &mut _| ApiKey::list(conn, Owner::User(ledger.user), &page(sort)).await;
        let (found, read) = measured(&mut ledger.fixture.conn, "api_keys", ask).await;
        assert!(found.rows.len() == 10 && read <= FEW, "{what} keys: {read} rows were read for 10");
    }
}

#[tokio::test]
async fn organisations_are_listed_without_reading_those_of_others() {
    let mut ledger = laid_out().await;
    fill(&mut ledger, "organisations", "id, name", "id, n").await;
    fill(&mut ledger, "organisation_members", "organisation_id, user_id, role", "id, user_id, 'project_viewer'").await;
    for (what, sort) in BOTH_ENDS {
        let ask = async |conn: &mut _| Organisation::list_of(conn, ledger.user, &page(sort)).await;
        let (found, read) = measured(&mut ledger.fixture.conn, "organisation_members|organisations", ask).await;
        assert!(found.rows.len() == 10 && read <= FEW_JOINED, "{what} organisations: {read} rows were read for 10");
    }
}

#[tokio::test]
async fn projects_are_listed_without_reading_those_of_others() {
    let mut ledger = laid_out().await;
    // Ten of our organisation, of which none is over.
    run(&mut ledger.fixture.conn, "DELETE FROM made WHERE n % 4 = 0 AND (n <= 4000 OR n > 4040)").await;
    let columns = "id, organisation_id, name, kind, config, deleted_at";
    fill(&mut ledger, "projects", columns, "id, organisation_id, n, 'outgoing', '{}', ended_at").await;
    let ask = async |conn: &mut _| Project::list(conn, ledger.organisation, 1_000).await;
    let (found, read) = measured(&mut ledger.fixture.conn, "projects", ask).await;
    assert!(found.len() == 10 && read <= FEW, "projects: {read} rows were read for 10");
}
