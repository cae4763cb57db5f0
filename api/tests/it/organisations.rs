//! Organisations, who belongs to them, and what each role may do.

use posthouse_schema::words::Role;
use serde_json::{Value, json};

use crate::harness::{Api, Person};

fn role(kind: &str) -> Option<Value> {
    Some(json!({"role": {"type": kind}}))
}

#[tokio::test]
async fn an_organisation_lives_and_dies() {
    let api = Api::start().await;
    let (ada, eve) = (api.sign_up("ada").await, api.sign_up("eve").await);
    let made = api.ui("POST", "organisations", Some(&ada.access), Some(json!({"name": "engines"}))).await;
    assert_eq!((made.status, made.message()), (201, "Organisation created successfully"));
    assert_eq!((&made.data()["OwnerID"], &made.data()["deleted_at"]), (&json!(ada.uid), &Value::Null));
    let path = format!("organisations/{}", made.uid());
    let listed = api.ui("GET", "organisations?perPage=1", Some(&ada.access), None).await;
    assert_eq!(listed.data()["content"].as_array().unwrap().len(), 1);
    assert_eq!(listed.data()["pagination"]["has_next_page"], json!(true), "the other came with signing up");
    let renamed = api.ui("PUT", &path, Some(&ada.access), Some(json!({"name": "looms"}))).await;
    assert_eq!((renamed.status, &renamed.data()["name"]), (202, &json!("looms")));
    for body in
        [json!({}), json!({"name": ""}), json!({"name": "a\nb"}), json!({"name": "a", "custom_domain": "x.com"})]
    {
        assert_eq!(api.ui("PUT", &path, Some(&ada.access), Some(body)).await.status, 400);
    }
    for (method, body) in [("GET", None), ("PUT", Some(json!({"name": "mine"}))), ("DELETE", None)] {
        let refused = api.ui(method, &path, Some(&eve.access), body.clone()).await;
        assert_eq!((refused.status, refused.message()), (400, "organisation not found"), "{method}: a stranger");
        assert_eq!(api.ui(method, &path, Some(&api.key), body).await.status, 403, "{method}: a project key");
    }
    let projects = format!("{path}/projects");
    let body = json!({"name": "p", "type": "outgoing"});
    let project = api.ui("POST", &projects, Some(&ada.access), Some(body)).await;
    assert_eq!(project.status, 201, "{}", project.body);
    let key = project.data()["api_key"]["key"].as_str().unwrap();
    assert_eq!(api.ui("DELETE", &path, Some(&ada.access), None).await.status, 200);
    assert_eq!(api.ui("GET", &path, Some(&ada.access), None).await.message(), "organisation not found");
    let uid = project.data()["project"]["uid"].as_str().unwrap();
    let gone = api.send("GET", &format!("/api/v1/projects/{uid}"), Some(key), &[], None).await;
    assert_eq!((gone.status, gone.message()), (400, "project not found"), "its projects go with it");
    api.close().await;
}

#[tokio::test]
async fn members_change_but_an_administrator_stays() {
    let api = Api::start().await;
    let (ada, eve) = (api.sign_up("ada").await, api.sign_up("eve").await);
    let members = format!("organisations/{}/members", ada.organisation);
    let own = format!("{members}/{}", ada.uid);
    for (method, body) in [("PUT", role("project_viewer")), ("DELETE", None)] {
        let refused = api.ui(method, &own, Some(&ada.access), body).await;
        assert_eq!((refused.status, refused.message()), (400, "the organisation's last administrator cannot be lost"));
    }
    assert_eq!(api.ui("GET", &members, Some(&eve.access), None).await.message(), "organisation not found");
    invite(&api, &ada, "eve", "project_viewer").await;

    let listed = api.ui("GET", &members, Some(&eve.access), None).await;
    assert_eq!(listed.data()["content"].as_array().unwrap().len(), 2, "members see each other");
    let theirs = format!("{members}/{}", eve.uid);
    let read = api.ui("GET", &theirs, Some(&ada.access), None).await;
    assert_eq!((&read.data()["role"]["type"], &read.data()["user_id"]), (&json!("project_viewer"), &json!(eve.uid)));
    assert_eq!(read.data()["user_metadata"]["email"], json!("eve@example.com"));
    for (method, path, body) in
        [("PUT", &theirs, role("organisation_admin")), ("PUT", &own, role("project_viewer")), ("DELETE", &own, None)]
    {
        assert_eq!(api.ui(method, path, Some(&eve.access), body).await.status, 403, "{method} {path}: a viewer");
    }
    for (body, status) in [
        (role("instance_admin"), 403),
        (role("api"), 400),
        (role("king"), 400),
        (Some(json!({})), 400),
        (Some(json!({"role": {"type": "project_admin", "project": "p"}})), 400),
    ] {
        assert_eq!(api.ui("PUT", &theirs, Some(&ada.access), body.clone()).await.status, status, "{body:?}");
    }
    let changed = api.ui("PUT", &theirs, Some(&ada.access), role("organisation_admin")).await;
    assert_eq!((changed.status, &changed.data()["role"]["type"]), (202, &json!("organisation_admin")));
    assert_eq!(api.ui("DELETE", &own, Some(&ada.access), None).await.status, 200, "one may leave when another stays");
    let organisation = api.ui("GET", &format!("organisations/{}", ada.organisation), Some(&eve.access), None).await;
    assert_eq!(organisation.data()["OwnerID"], json!(eve.uid), "who stays owns it");
    assert_eq!(api.ui("GET", &own, Some(&eve.access), None).await.status, 404);
    api.close().await;
}

/// Makes `name`, who has an account, a member of the inviter's organisation by mail.
async fn invite(api: &Api, inviter: &Person, name: &str, kind: &str) {
    let body = json!({"invitee_email": format!("{name}@example.com"), "role": {"type": kind}});
    let invites = format!("organisations/{}/invites", inviter.organisation);
    let made = api.ui("POST", &invites, Some(&inviter.access), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let token = made.data()["token"]["token"].as_str().unwrap();
    let path = format!("organisations/process_invite?token={token}&accepted=true");
    assert_eq!(api.ui("POST", &path, None, None).await.status, 200);
}

#[tokio::test]
async fn an_invitation_makes_an_account_where_there_is_none() {
    let api = Api::start().await;
    let ada = api.sign_up("ada").await;
    let invites = format!("organisations/{}/invites", ada.organisation);
    let body = json!({"invitee_email": "new@example.com", "role": {"type": "project_admin"}});
    let made = api.ui("POST", &invites, Some(&ada.access), Some(body.clone())).await;
    assert_eq!((made.status, &made.data()["token"]["status"]), (201, &json!("pending")));
    let token = api.mailed_token("new@example.com", 1).await;
    assert_eq!(made.data()["token"]["token"], json!(token));
    assert!(api.mails_to("new@example.com").await[0].body.contains("\"ada's\""));
    let again = api.ui("POST", &invites, Some(&ada.access), Some(body.clone())).await;
    assert!(again.status == 400 && again.message().contains("is pending"), "{}", again.body);

    let pending = api.ui("GET", &format!("{invites}/pending"), Some(&ada.access), None).await;
    let row = &pending.data()["content"][0];
    assert_eq!((&row["invitee_email"], &row["token"]), (&json!("new@example.com"), &json!("")), "it is shown once");
    let found = api.ui("GET", &format!("users/token?token={token}"), None, None).await;
    assert_eq!(found.data()["token"]["organisation_name"], json!("ada's"));
    assert!(found.data()["user"].is_null());

    let accept = format!("organisations/process_invite?token={token}&accepted=true");
    let person = json!({"first_name": "New", "last_name": "Person", "password": "password of new"});
    let mut other = person.clone();
    other["email"] = json!("eve@example.com");
    for (body, part) in [
        (json!({}), "first_name"),
        (json!({"first_name": "a", "last_name": "b", "password": "short"}), "password"),
        (other, "email: another address was invited"),
    ] {
        let refused = api.ui("POST", &accept, None, Some(body)).await;
        assert!(refused.status == 400 && refused.message().contains(part), "{}", refused.body);
    }
    for query in ["", "?token=x&accepted=true", "?accepted=true"] {
        let refused = api.ui("POST", &format!("organisations/process_invite{query}"), None, Some(person.clone())).await;
        assert_eq!((refused.status, refused.message()), (400, "token: it is not valid, or no longer"), "{query}");
    }
    let unclear = format!("organisations/process_invite?token={token}");
    assert!(api.ui("POST", &unclear, None, None).await.message().starts_with("accepted:"));
    assert_eq!(api.ui("POST", &accept, None, Some(person.clone())).await.status, 200);
    assert_eq!(api.ui("POST", &accept, None, Some(person)).await.status, 400, "it was answered");
    let signed = json!({"username": "new@example.com", "password": "password of new"});
    let signed = api.ui("POST", "auth/login", None, Some(signed)).await;
    assert_eq!((signed.status, &signed.data()["email_verified"]), (200, &json!(false)));
    let access = signed.data()["token"]["access_token"].as_str().unwrap();
    let organisations = api.ui("GET", "organisations", Some(access), None).await;
    assert_eq!(organisations.data()["content"][0]["uid"], json!(ada.organisation));
    let member = api.ui("POST", &invites, Some(&ada.access), Some(body)).await;
    assert_eq!((member.status, member.message()), (400, "invitee_email: they are a member already"));
    api.close().await;
}

#[tokio::test]
async fn invitations_are_declined_cancelled_and_sent_again() {
    let api = Api::start().await;
    let (ada, eve) = (api.sign_up("ada").await, api.sign_up("eve").await);
    let invites = format!("organisations/{}/invites", ada.organisation);
    let make = async |name: &str| {
        let body = json!({"invitee_email": format!("{name}@example.com"), "role": {"type": "project_viewer"}});
        let made = api.ui("POST", &invites, Some(&ada.access), Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let token = &made.data()["token"];
        (token["uid"].as_str().unwrap().to_string(), token["token"].as_str().unwrap().to_string())
    };
    let answer = async |token: &str, accepted: bool| {
        let path = format!("organisations/process_invite?token={token}&accepted={accepted}");
        api.ui("POST", &path, None, None).await.status
    };
    let (_, declined) = make("eve").await;
    assert_eq!((answer(&declined, false).await, answer(&declined, true).await), (200, 400));
    let (id, old) = make("eve").await;
    let resent = api.ui("POST", &format!("{invites}/{id}/resend"), Some(&ada.access), None).await;
    assert_eq!(resent.status, 200, "{}", resent.body);
    let new = resent.data()["token"].as_str().unwrap();
    assert_eq!((answer(&old, true).await, new != old), (400, true), "the old link is void");
    for action in ["resend", "cancel"] {
        let path = format!("{invites}/{id}/{action}");
        assert_eq!(api.ui("POST", &path, Some(&eve.access), None).await.status, 400, "a stranger");
        let theirs = format!("organisations/{}/invites/{id}/{action}", eve.organisation);
        assert_eq!(api.ui("POST", &theirs, Some(&eve.access), None).await.status, 404, "through another organisation");
    }
    let cancelled = api.ui("POST", &format!("{invites}/{id}/cancel"), Some(&ada.access), None).await;
    assert_eq!((cancelled.status, &cancelled.data()["status"]), (200, &json!("cancelled")));
    assert_eq!(answer(new, true).await, 400);
    assert_eq!(api.ui("POST", &format!("{invites}/{id}/resend"), Some(&ada.access), None).await.status, 404);
    for (body, status) in [
        (json!({"invitee_email": "x", "role": {"type": "project_viewer"}}), 400),
        (json!({"invitee_email": "x@example.com"}), 400),
        (json!({"invitee_email": "x@example.com", "role": {"type": "instance_admin"}}), 403),
        (json!({"invitee_email": "x@example.com\r\nBcc: y@example.com", "role": {"type": "project_viewer"}}), 400),
    ] {
        assert_eq!(api.ui("POST", &invites, Some(&ada.access), Some(body.clone())).await.status, status, "{body}");
    }
    api.close().await;
}

/// Method, path and body, what who may do it is answered, and who may.
type Action<'a> = (&'a str, String, Option<Value>, u16, &'a [&'a str]);

/// What each role may do in an organisation that it belongs to; all else is 403.
#[tokio::test]
async fn roles_allow_what_they_are_for() {
    let api = Api::start().await;
    let organisation = format!("organisations/{}", api.organisation);
    let project = format!("{organisation}/projects/{}", api.project);
    let endpoint = json!({"name": "e", "url": "https://example.com"});
    let invite = json!({"invitee_email": "", "role": {"type": "project_viewer"}});
    let nobody = format!("{organisation}/members/{}", posthouse_schema::ids::UserId::generate());
    // Each action with what it answers to who may do it, and the roles that may.
    let (viewer, project_admin, billing, admin) = ("viewer", "project_admin", "billing", "admin");
    let everybody = &[viewer, project_admin, billing, admin];
    let actions: [Action; 15] = [
        ("GET", organisation.clone(), None, 200, everybody),
        ("GET", format!("{organisation}/members"), None, 200, everybody),
        ("GET", format!("{organisation}/projects"), None, 200, &[viewer, project_admin, admin]),
        ("GET", project.clone(), None, 200, &[viewer, project_admin, admin]),
        ("GET", format!("{project}/endpoints"), None, 200, &[viewer, project_admin, admin]),
        ("GET", format!("{project}/stats"), None, 200, &[viewer, project_admin, admin]),
        (
            "GET",
            format!("{project}/dashboard/summary?startDate=2026-01-01T00:00:00&type=daily"),
            None,
            200,
            &[viewer, project_admin, admin],
        ),
        ("POST", format!("{project}/endpoints"), Some(endpoint), 201, &[project_admin, admin]),
        ("PUT", project.clone(), Some(json!({"name": "orders"})), 202, &[project_admin, admin]),
        ("PUT", format!("{project}/security/keys/regenerate"), None, 200, &[project_admin, admin]),
        ("POST", format!("{organisation}/projects"), Some(json!({})), 400, &[admin]),
        ("PUT", organisation.clone(), Some(json!({"name": "acme"})), 202, &[admin]),
        ("GET", format!("{organisation}/invites/pending"), None, 200, &[admin]),
        ("POST", format!("{organisation}/invites"), Some(invite), 400, &[admin]),
        ("PUT", nobody, role("project_viewer"), 404, &[admin]),
    ];
    for (name, held) in [
        (viewer, Role::ProjectViewer),
        (project_admin, Role::ProjectAdmin),
        (billing, Role::BillingAdmin),
        (admin, Role::OrganisationAdmin),
    ] {
        let person = api.join(&format!("the-{}", name.replace('_', "-")), held).await;
        for (method, path, body, status, allowed) in &actions {
            let answer = api.ui(method, path, Some(&person.access), body.clone()).await;
            let expected = if allowed.contains(&name) { *status } else { 403 };
            assert_eq!(answer.status, expected, "{name} {method} {path}: {}", answer.body);
        }
        let delete = api.ui("DELETE", &organisation, Some(&person.access), None).await.status;
        assert_eq!(delete, if name == admin { 200 } else { 403 }, "{name}");
    }
    api.close().await;
}

#[tokio::test]
async fn who_runs_the_instance_does_so_everywhere() {
    let api = Api::start().await;
    let ada = api.sign_up("ada").await;
    let organisation = format!("organisations/{}", ada.organisation);
    let read = api.ui("GET", &organisation, Some(&api.instance_key), None).await;
    assert_eq!((read.status, read.uid()), (200, ada.organisation.clone()));
    let theirs = format!("{organisation}/members/{}", ada.uid);
    assert_eq!(api.ui("PUT", &theirs, Some(&api.instance_key), role("instance_admin")).await.status, 202);
    let other = format!("organisations/{}", api.organisation);
    assert_eq!(api.ui("GET", &other, Some(&ada.access), None).await.status, 200);
    api.close().await;
}
