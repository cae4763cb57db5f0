//! Sessions, links, counters and memberships: what holds under repeats, late comers and two at once.

use std::time::Duration;

use chrono::Utc;
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use posthouse_schema::{
    account_purge, account_token,
    attempt_counter::{self, Subject},
    ids::UserId,
    instance_secret,
    invite::{Invite, Invitee},
    member::{self, MemberChange},
    organisation,
    session::{self, Rotation},
    testing::TestDatabase,
    user::{self, User},
    words::{Role, TokenPurpose},
};

use crate::fixture::run;

const DAY: Duration = Duration::from_secs(86_400);

async fn database() -> (TestDatabase, AsyncPgConnection, UserId) {
    let database = TestDatabase::create().await;
    let mut conn = AsyncPgConnection::establish(database.url()).await.unwrap();
    let user = user::insert(&mut conn, "ada@example.com").await.unwrap();
    (database, conn, user)
}

#[tokio::test]
async fn a_refresh_token_that_comes_back_late_ends_the_session() {
    let (_database, mut conn, user) = database().await;
    let id = session::start(&mut conn, user, DAY).await.unwrap();
    let rotate = async |conn: &mut AsyncPgConnection, generation| {
        session::rotate(conn, (id, user, generation), DAY, DAY * 30).await.unwrap()
    };
    assert_eq!(rotate(&mut conn, 1).await, Rotation::Next(2));
    assert_eq!(rotate(&mut conn, 1).await, Rotation::Refused);
    assert!(session::is_live(&mut conn, id, user).await.unwrap(), "two windows of one browser may refresh at once");
    run(&mut conn, "UPDATE sessions SET rotated_at = now() - interval '11 seconds'").await;
    assert_eq!(rotate(&mut conn, 1).await, Rotation::Refused);
    assert!(!session::is_live(&mut conn, id, user).await.unwrap());
    assert_eq!(rotate(&mut conn, 2).await, Rotation::Refused);

    let id = session::start(&mut conn, user, DAY).await.unwrap();
    for generation in 1..=2 {
        session::rotate(&mut conn, (id, user, generation), DAY, DAY).await.unwrap();
    }
    session::rotate(&mut conn, (id, user, 1), DAY, DAY).await.unwrap();
    assert!(!session::is_live(&mut conn, id, user).await.unwrap(), "one before the last is never a coincidence");
}

#[tokio::test]
async fn sessions_end_by_time_by_word_and_with_their_user() {
    let (_database, mut conn, user) = database().await;
    let (one, two) =
        (session::start(&mut conn, user, DAY).await.unwrap(), session::start(&mut conn, user, DAY).await.unwrap());
    assert!(!session::is_live(&mut conn, one, UserId::generate()).await.unwrap());
    session::end_all(&mut conn, user, Some(two)).await.unwrap();
    assert!(
        !session::is_live(&mut conn, one, user).await.unwrap() && session::is_live(&mut conn, two, user).await.unwrap()
    );
    // Thirty days after its beginning no refresh lets it go on.
    run(&mut conn, "UPDATE sessions SET created_at = now() - interval '30 days'").await;
    session::rotate(&mut conn, (two, user, 1), DAY, DAY * 30).await.unwrap();
    assert!(!session::is_live(&mut conn, two, user).await.unwrap());
    let three = session::start(&mut conn, user, DAY).await.unwrap();
    run(&mut conn, "UPDATE users SET deleted_at = now()").await;
    assert!(!session::is_live(&mut conn, three, user).await.unwrap());
}

#[tokio::test]
async fn a_link_holds_once_for_its_time_and_its_address() {
    let (_database, mut conn, user) = database().await;
    let reset = TokenPurpose::ResetPassword;
    let issue = async |conn: &mut AsyncPgConnection, purpose| {
        account_token::issue(conn, purpose, user, "ada@example.com", DAY).await.unwrap()
    };
    let first = issue(&mut conn, reset).await;
    let token = issue(&mut conn, reset).await;
    assert!(!account_token::is_valid(&mut conn, reset, &first).await.unwrap(), "only the newest");
    assert!(account_token::verify_email(&mut conn, &token).await.unwrap().is_none(), "for its purpose alone");
    assert_eq!(account_token::reset_password(&mut conn, &token, "h").await.unwrap(), Some(user));
    assert_eq!(account_token::reset_password(&mut conn, &token, "h").await.unwrap(), None);
    let late = issue(&mut conn, reset).await;
    run(&mut conn, "UPDATE account_tokens SET expires_at = now()").await;
    assert!(!account_token::is_valid(&mut conn, reset, &late).await.unwrap());
    assert_eq!(account_token::reset_password(&mut conn, &late, "other").await.unwrap(), None);
    let moved = issue(&mut conn, reset).await;
    run(&mut conn, "UPDATE users SET email = 'ada@example.org'").await;
    assert!(!account_token::is_valid(&mut conn, reset, &moved).await.unwrap());
    assert_eq!(account_token::reset_password(&mut conn, &moved, "other").await.unwrap(), None);
    assert_eq!(user::password_hash(&mut conn, user).await.unwrap().as_deref(), Some("h"));
}

#[tokio::test]
async fn attempts_are_counted_within_their_window() {
    let (_database, mut conn, _) = database().await;
    let subjects = [Subject::of(&["a"]), Subject::of(&["b"]), Subject::of(&["a"])];
    for expected in 1..=3 {
        let counted = attempt_counter::count(&mut conn, &subjects, DAY).await.unwrap();
        assert_eq!(counted.len(), 2);
        assert!(counted.iter().all(|counted| counted.attempts == expected && counted.ends_in <= DAY), "{counted:?}");
    }
    attempt_counter::take_back(&mut conn, &subjects[1]).await.unwrap();
    let counted = attempt_counter::count(&mut conn, &subjects[1..2], DAY).await.unwrap();
    assert_eq!(counted[0].attempts, 3, "one of them was right");
    attempt_counter::forget(&mut conn, &subjects[0]).await.unwrap();
    let counted = attempt_counter::count(&mut conn, &subjects[..1], DAY).await.unwrap();
    assert_eq!(counted[0].attempts, 1);
    run(&mut conn, "UPDATE attempt_counters SET window_ends_at = now()").await;
    let counted = attempt_counter::count(&mut conn, &subjects[1..2], DAY).await.unwrap();
    assert_eq!(counted[0].attempts, 1, "a new window begins");
}

#[tokio::test]
async fn instances_that_start_at_once_share_a_secret() {
    let (database, mut conn, _) = database().await;
    let mut other = AsyncPgConnection::establish(database.url()).await.unwrap();
    let (one, two) = tokio::join!(
        instance_secret::get_or_make(&mut conn, "access_token"),
        instance_secret::get_or_make(&mut other, "access_token")
    );
    let one = one.unwrap();
    assert_eq!((one.len(), &one), (32, &two.unwrap()));
    assert_ne!(instance_secret::get_or_make(&mut conn, "refresh_token").await.unwrap(), one);
}

#[tokio::test]
async fn two_administrators_cannot_remove_each_other_at_once() {
    let (database, mut conn, ada) = database().await;
    let mut other = AsyncPgConnection::establish(database.url()).await.unwrap();
    let eve = user::insert(&mut conn, "eve@example.com").await.unwrap();
    for _ in 0..10 {
        let organisation = organisation::insert_owned(&mut conn, "acme", ada).await.unwrap().id;
        organisation::set_member(&mut conn, organisation, eve, Role::OrganisationAdmin).await.unwrap();
        let (one, two) = tokio::join!(
            member::remove(&mut conn, organisation, eve),
            member::set_role(&mut other, organisation, ada, Role::ProjectViewer)
        );
        let mut changes = [one.unwrap(), two.unwrap()];
        changes.sort_by_key(|change| *change == MemberChange::LastAdmin);
        assert_eq!(changes, [MemberChange::Done, MemberChange::LastAdmin]);
    }
}

#[tokio::test]
async fn an_invitation_is_accepted_once_and_in_time() {
    let (_database, mut conn, ada) = database().await;
    let eve = user::insert(&mut conn, "eve@example.com").await.unwrap();
    let organisation = organisation::insert_owned(&mut conn, "acme", ada).await.unwrap().id;
    let (_, late) = Invite::insert(&mut conn, organisation, "eve@example.com", Role::ProjectAdmin, DAY).await.unwrap();
    run(&mut conn, "UPDATE organisation_invites SET expires_at = now()").await;
    assert!(Invite::find_by_token(&mut conn, &late).await.unwrap().is_none());
    assert_eq!(Invite::accept(&mut conn, &late, &Invitee::Known(eve)).await.unwrap(), None);
    let pending = Invite::list_pending(&mut conn, organisation, &first_page()).await.unwrap().rows;
    let (_, token) = Invite::renew(&mut conn, organisation, pending[0].id, DAY).await.unwrap().unwrap();
    assert_eq!(Invite::accept(&mut conn, &token, &Invitee::Known(eve)).await.unwrap(), Some(eve));
    assert_eq!(Invite::accept(&mut conn, &token, &Invitee::Known(eve)).await.unwrap(), None);
    let (row, _) = member::find(&mut conn, organisation, eve).await.unwrap().unwrap();
    assert_eq!(row.role, Role::ProjectAdmin);
    // Who is a member already keeps their role.
    let (_, again) =
        Invite::insert(&mut conn, organisation, "ada@example.com", Role::ProjectViewer, DAY).await.unwrap();
    Invite::accept(&mut conn, &again, &Invitee::Known(ada)).await.unwrap();
    let (row, _) = member::find(&mut conn, organisation, ada).await.unwrap().unwrap();
    assert_eq!(row.role, Role::OrganisationAdmin);
}

fn first_page<Id>() -> posthouse_schema::page::PageRequest<Id> {
    use posthouse_schema::page::{Direction, PageRequest, Sort};
    PageRequest { per_page: 20, sort: Sort::Descending, direction: Direction::Next, cursor: None }
}

#[tokio::test]
async fn what_is_over_is_deleted_and_nothing_else() {
    let (_database, mut conn, user) = database().await;
    let live = session::start(&mut conn, user, DAY).await.unwrap();
    let over = session::start(&mut conn, user, DAY).await.unwrap();
    run(
        &mut conn,
        &format!("UPDATE sessions SET expires_at = now() - interval '2 days' WHERE id = '{:032x}'", over.to_bits()),
    )
    .await;
    account_token::issue(&mut conn, TokenPurpose::ResetPassword, user, "ada@example.com", DAY).await.unwrap();
    run(&mut conn, "UPDATE account_tokens SET expires_at = now() - interval '1 second'").await;
    account_token::issue(&mut conn, TokenPurpose::VerifyEmail, user, "ada@example.com", DAY).await.unwrap();
    attempt_counter::count(&mut conn, &[Subject::of(&["a"])], DAY).await.unwrap();
    run(&mut conn, "INSERT INTO attempt_counters SELECT 'x', 1, now() - interval '1 second'").await;
    assert_eq!(account_purge::purge(&mut conn, 100).await.unwrap(), 3);
    assert_eq!(account_purge::purge(&mut conn, 100).await.unwrap(), 0);
    assert!(session::is_live(&mut conn, live, user).await.unwrap());
    let user = User::find(&mut conn, user).await.unwrap().unwrap();
    assert!(user.created_at <= Utc::now());
}
