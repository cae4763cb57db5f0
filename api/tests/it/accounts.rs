//! Signing in, up and out; profiles; personal keys.

use posthouse_api::app::AccountSettings;
use serde_json::{Value, json};

use crate::harness::{Api, accounts, ask, registration, until};

fn login(name: &str, password: &str) -> Option<Value> {
    Some(json!({"username": format!("{name}@example.com"), "password": password}))
}

#[tokio::test]
async fn somebody_signs_up_in_and_out() {
    let api = Api::start().await;
    let made = api.ui("POST", "auth/register", None, Some(registration("ada"))).await;
    assert_eq!((made.status, made.message()), (201, "Registration successful"), "{}", made.body);
    assert_eq!((&made.data()["email"], &made.data()["email_verified"]), (&json!("ada@example.com"), &json!(false)));
    assert_eq!(made.headers["cache-control"], "no-store");
    assert!(!made.body.to_string().contains("argon2") && !made.body.to_string().contains("password of ada"));
    let again = api.ui("POST", "auth/register", None, Some(registration("ADA"))).await;
    assert_eq!((again.status, again.message()), (400, "email: this email is taken"));

    let signed = api.ui("POST", "auth/login", None, login("Ada", "password of ada")).await;
    assert_eq!((signed.status, signed.message(), signed.uid()), (200, "Login successful", made.uid()));
    let access = signed.data()["token"]["access_token"].as_str().unwrap();
    let profile = api.ui("GET", "users/me/profile", Some(access), None).await;
    assert_eq!((profile.status, profile.uid()), (200, made.uid()));
    let organisations = api.ui("GET", "organisations", Some(access), None).await;
    assert_eq!(organisations.data()["content"][0]["OwnerID"], json!(made.uid()));
    let organisation = organisations.data()["content"][0]["uid"].as_str().unwrap().to_string();
    let listed = api.send("GET", &format!("/api/v1/projects?orgID={organisation}"), Some(access), &[], None).await;
    assert_eq!((listed.status, listed.data()), (200, &json!([])), "a session opens the public API too");

    let out = api.ui("POST", "auth/logout", Some(access), None).await;
    assert_eq!((out.status, out.message()), (200, "Logout successful"));
    let refused = api.ui("GET", "users/me/profile", Some(access), None).await;
    assert_eq!((refused.status, refused.message()), (401, "authorization failed"));
    let pair = json!({"access_token": access, "refresh_token": signed.data()["token"]["refresh_token"]});
    assert_eq!(api.ui("POST", "auth/token/refresh", None, Some(pair)).await.status, 401);
    api.close().await;
}

#[tokio::test]
async fn wrong_passwords_and_unknown_addresses_are_refused_alike_and_only_so_often() {
    let api = Api::start().await;
    api.sign_up("ada").await;
    // `admin@example.com` has no password.
    for (name, password) in
        [("ada", "password of eve"), ("nobody", "password of ada"), ("admin", "nobody"), ("a\0", "x")]
    {
        let refused = api.ui("POST", "auth/login", None, login(name, password)).await;
        assert_eq!((refused.status, refused.message()), (403, "Invalid credentials"), "{name:?}");
    }
    let from = async |address: &str, password: &str| {
        let body = login("ada", password).map(|body| body.to_string());
        api.send("POST", "/ui/auth/login", None, &[("x-forwarded-for", address)], body).await
    };
    for _ in 0..5 {
        assert_eq!(from("10.0.0.1, 192.0.2.1", "wrong password").await.status, 403);
    }
    let refused = from("192.0.2.1", "password of ada").await;
    assert_eq!((refused.status, refused.message()), (429, "too many attempts, try again later"));
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 60);
    assert_eq!(from("192.0.2.2", "password of ada").await.status, 200, "others are not locked out");
    for _ in 0..6 {
        assert_eq!(from("192.0.2.3", "password of ada").await.status, 200, "a right password counts for nothing");
    }
    api.close().await;
}

#[tokio::test]
async fn a_refresh_token_serves_once_and_instances_agree() {
    let api = Api::start().await;
    let person = api.sign_up("ada").await;
    let other = api.another();
    let refresh = async |access: Option<&str>, refresh: &str| {
        let body = json!({"access_token": access, "refresh_token": refresh});
        ask(&other, "POST", "/ui/auth/token/refresh", None, Some(body)).await
    };
    let next = refresh(Some(&person.access), &person.refresh).await;
    assert_eq!((next.status, next.message()), (200, "Token refresh successful"), "{}", next.body);
    let (access, newest) =
        (next.data()["access_token"].as_str().unwrap(), next.data()["refresh_token"].as_str().unwrap());
    assert_eq!(api.ui("GET", "users/me/profile", Some(access), None).await.status, 200);
    assert_eq!(refresh(None, &person.refresh).await.status, 401, "it was used");
    assert_eq!(refresh(None, access).await.status, 401, "an access token is none");
    assert_eq!(api.ui("GET", "users/me/profile", Some(newest), None).await.status, 401, "nor the other way round");
    let stranger = api.sign_up("eve").await;
    assert_eq!(refresh(Some(&stranger.access), newest).await.status, 401, "of another session");
    assert_eq!(refresh(None, newest).await.status, 200);
    for body in [json!({}), json!({"refresh_token": ""}), json!({"refresh_token": 7})] {
        assert_eq!(api.ui("POST", "auth/token/refresh", None, Some(body)).await.status, 400);
    }

    assert_eq!(ask(&other, "GET", "/ui/users/me/profile", Some(access), None).await.status, 200);
    assert_eq!(api.ui("POST", "auth/logout", Some(access), None).await.status, 200);
    until("the other instance refuses the session", async || {
        ask(&other, "GET", "/ui/users/me/profile", Some(access), None).await.status == 401
    })
    .await;
    api.close().await;
}

#[tokio::test]
async fn secrets_of_the_settings_sign_instead_of_those_in_the_database() {
    let secrets = |access: &str, refresh: &str| AccountSettings {
        access_token_secret: Some(access.into()),
        refresh_token_secret: Some(refresh.into()),
        ..accounts()
    };
    let api = Api::start_with_accounts(secrets("a secret of the settings", "another secret")).await;
    let person = api.sign_up("ada").await;
    assert_eq!(api.ui("GET", "users/me/profile", Some(&person.access), None).await.status, 200);
    let with_others = api.another();
    assert_eq!(ask(&with_others, "GET", "/ui/users/me/profile", Some(&person.access), None).await.status, 401);
    api.close().await;
}

#[tokio::test]
async fn nobody_signs_up_where_that_is_closed() {
    let api = Api::start_with_accounts(AccountSettings { is_sign_up_open: false, ..accounts() }).await;
    let refused = api.ui("POST", "auth/register", None, Some(registration("ada"))).await;
    assert_eq!((refused.status, refused.message()), (403, "user registration is disabled"));
    let shown = api.ui("GET", "configuration/auth", None, None).await;
    assert_eq!((shown.status, &shown.data()["is_signup_enabled"]), (200, &json!(false)));
    assert_eq!(shown.data()["google_oauth"], json!({"enabled": false, "client_id": "", "redirect_url": ""}));
    assert_eq!(api.ui("GET", "configuration", None, None).await.status, 401);
    let inside = api.ui("GET", "configuration", Some(&api.personal_key), None).await;
    assert_eq!((inside.status, inside.data().as_array().unwrap().len()), (200, 1));
    api.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_named() {
    let api = Api::start().await;
    for (field, value, part) in [
        ("first_name", json!(null), "first_name:please provide your first name"),
        ("first_name", json!("a\u{0}"), "first_name"),
        ("first_name", json!("x".repeat(200)), "first_name"),
        ("last_name", json!(" "), "last_name:please provide your last name"),
        ("email", json!("nonsense"), "email:please provide a valid email"),
        ("email", json!("a@example.com\r\nBcc: b@example.com"), "email"),
        ("password", json!(null), "password:please provide a password"),
        ("password", json!("short"), "password: at least 8 characters"),
        ("password", json!("x".repeat(2_000)), "password"),
        ("password", json!({"a": 1}), "incorrect JSON"),
        ("org_name", json!(""), "org_name:please provide your organization name"),
        ("org_name", json!(7), "incorrect JSON"),
    ] {
        let mut body = registration("ada");
        body[field] = value;
        let refused = api.ui("POST", "auth/register", None, Some(body)).await;
        assert_eq!(refused.status, 400, "{field}: {}", refused.body);
        assert!(refused.message().contains(part), "{field}: {}", refused.message());
    }
    for body in ["", "{", "[]", "null", "\"x\"", "{\"username\":[]}"] {
        let refused = api.send("POST", "/ui/auth/login", None, &[], Some(body.into())).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
    }
    assert!(api.mails_to("ada@example.com").await.is_empty());
    assert_eq!(api.ui("GET", "nothing", None, None).await.status, 401, "credentials come first");
    assert_eq!(api.ui("GET", "nothing", Some(&api.personal_key), None).await.status, 404);
    let method = api.ui("PATCH", "users/me/profile", Some(&api.personal_key), None).await;
    assert_eq!((method.status, &method.headers["allow"]), (405, &"GET, HEAD, OPTIONS, PUT".parse().unwrap()));
    api.close().await;
}

#[tokio::test]
async fn a_profile_is_one_s_own() {
    let api = Api::start().await;
    let (ada, eve) = (api.sign_up("ada").await, api.sign_up("eve").await);
    for (method, rest, body) in [
        ("GET", "profile", None),
        ("PUT", "profile", Some(json!({"first_name": "x"}))),
        ("PUT", "password", Some(json!({"current_password": "password of ada", "password": "another password"}))),
        ("GET", "security", None),
        ("POST", "security/personal_api_keys", Some(json!({"name": "k"}))),
    ] {
        let path = format!("users/{}/{rest}", ada.uid);
        let refused = api.ui(method, &path, Some(&eve.access), body.clone()).await;
        assert_eq!((refused.status, refused.message()), (403, "Unauthorized"), "{method} {rest}");
        let of_a_project = api.ui(method, &path, Some(&api.key), body.clone()).await;
        assert_eq!(of_a_project.status, 403, "{method} {rest}: a project key is nobody");
        assert_eq!(api.ui(method, &path, None, body).await.status, 401, "{method} {rest}");
    }
    let path = format!("users/{}/profile", ada.uid);
    let changed = api.ui("PUT", &path, Some(&ada.access), Some(json!({"first_name": "Augusta"}))).await;
    assert_eq!((changed.status, &changed.data()["first_name"]), (200, &json!("Augusta")));
    assert_eq!(changed.data()["last_name"], json!("Example"), "what is missing keeps its value");
    let taken = json!({"email": "eve@example.com", "current_password": "password of ada"});
    let refused = api.ui("PUT", &path, Some(&ada.access), Some(taken)).await;
    assert_eq!((refused.status, refused.message()), (400, "email: this email is taken"));
    for body in [json!({"email": "b@example.com"}), json!({"email": "b@example.com", "current_password": "wrong"})] {
        let refused = api.ui("PUT", &path, Some(&ada.access), Some(body)).await;
        assert_eq!(refused.status, 400, "an address is worth as much as the password: {}", refused.body);
    }
    api.close().await;
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let api = Api::start().await;
    let first = api.sign_up("ada").await;
    let second = api.ui("POST", "auth/login", None, login("ada", "password of ada")).await;
    let second = second.data()["token"]["access_token"].as_str().unwrap().to_string();
    let change = |current: &str, new: &str, again: &str| {
        Some(json!({"current_password": current, "password": new, "password_confirmation": again}))
    };
    for (body, part) in [
        (change("wrong", "another password", "another password"), "current password is invalid"),
        (change("password of ada", "short", "short"), "password: at least"),
        (change("password of ada", "another password", "yet another"), "password_confirmation"),
    ] {
        let refused = api.ui("PUT", "users/me/password", Some(&first.access), body).await;
        assert!(refused.status == 400 && refused.message().contains(part), "{}", refused.body);
    }
    let body = change("password of ada", "another password", "another password");
    assert_eq!(api.ui("PUT", "users/me/password", Some(&first.access), body).await.status, 200);
    until("the other session ends", async || {
        api.ui("GET", "users/me/profile", Some(&second), None).await.status == 401
    })
    .await;
    assert_eq!(api.ui("GET", "users/me/profile", Some(&first.access), None).await.status, 200);
    assert_eq!(api.ui("POST", "auth/login", None, login("ada", "password of ada")).await.status, 403);
    assert_eq!(api.ui("POST", "auth/login", None, login("ada", "another password")).await.status, 200);
    api.close().await;
}

#[tokio::test]
async fn a_personal_key_acts_as_its_user_until_it_is_revoked() {
    let api = Api::start().await;
    let (ada, eve) = (api.sign_up("ada").await, api.sign_up("eve").await);
    let body = json!({"name": "laptop", "expiration": 7});
    let made = api.ui("POST", "users/me/security/personal_api_keys", Some(&ada.access), Some(body)).await;
    assert_eq!((made.status, &made.data()["key_type"]), (201, &json!("personal_key")), "{}", made.body);
    let key = made.data()["key"].as_str().unwrap().to_string();
    let profile = api.ui("GET", "users/me/profile", Some(&key), None).await;
    assert_eq!(profile.uid(), ada.uid);
    let listed = api.ui("GET", "users/me/security?keyType=personal_key", Some(&ada.access), None).await;
    let row = &listed.data()["content"][0];
    assert_eq!((&row["uid"], &row["name"]), (&made.data()["uid"], &json!("laptop")));
    assert!(row["expires_at"].is_string() && row["key"].is_null() && row["hash"].is_null());
    assert!(!listed.body.to_string().contains(&key));

    let path = format!("users/me/security/{}/revoke", made.uid());
    assert_eq!(api.ui("PUT", &path, Some(&eve.access), None).await.status, 404, "it is not hers");
    assert_eq!(api.ui("GET", "users/me/profile", Some(&key), None).await.status, 200);
    assert_eq!(api.ui("PUT", &path, Some(&ada.access), None).await.status, 200);
    assert_eq!(api.ui("GET", "users/me/profile", Some(&key), None).await.status, 401, "at once here");
    assert_eq!(api.ui("PUT", &path, Some(&ada.access), None).await.status, 404);
    for (body, part) in [
        (json!({}), "name:please provide a valid name"),
        (json!({"name": "k", "expiration": -1}), "expiration"),
        (json!({"name": "k", "expiration": 1_000_000}), "expiration"),
        (json!({"name": "k", "expiration": "soon"}), "incorrect JSON"),
    ] {
        let refused = api.ui("POST", "users/me/security/personal_api_keys", Some(&ada.access), Some(body)).await;
        assert!(refused.status == 400 && refused.message().contains(part), "{}", refused.body);
    }
    api.close().await;
}
