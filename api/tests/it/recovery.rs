//! What mails prove: a forgotten password, an address.

use serde_json::{Value, json};

use crate::harness::{Api, until};

async fn login(api: &Api, password: &str) -> u16 {
    let body = json!({"username": "ada@example.com", "password": password});
    api.ui("POST", "auth/login", None, Some(body)).await.status
}

fn new_password(password: &str) -> Option<Value> {
    Some(json!({"password": password, "password_confirmation": password}))
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_mail_s_link_once() {
    let api = Api::start().await;
    let ada = api.sign_up("ada").await;
    let forgot = async |email: &str| api.ui("POST", "users/forgot-password", None, Some(json!({"email": email}))).await;
    let (known, unknown) = (forgot("Ada@example.com").await, forgot("nobody@example.com").await);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body), "who has an account is not told");
    // The first mail is the one of signing up.
    let token = api.mailed_token("ada@example.com", 2).await;
    assert!(api.mails_to("nobody@example.com").await.is_empty());
    let mail = api.mails_to("ada@example.com").await.pop().unwrap();
    assert!(mail.body.contains("https://console.example.com/reset-password?token="), "{}", mail.body);

    let reset =
        async |token: &str, body| api.ui("POST", &format!("users/reset-password?token={token}"), None, body).await;
    let (known, last) = token.split_at(42);
    let wrong = format!("{known}{}", if last == "x" { "y" } else { "x" });
    for token in ["", "x", &wrong, "%00"] {
        let refused = reset(token, new_password("another password")).await;
        assert_eq!((refused.status, refused.message()), (400, "token: it is not valid, or no longer"));
    }
    assert_eq!(reset(&token, new_password("short")).await.status, 400);
    assert_eq!(login(&api, "password of ada").await, 200, "nothing has changed yet");
    assert_eq!(reset(&token, new_password("another password")).await.status, 200);
    assert_eq!((login(&api, "password of ada").await, login(&api, "another password").await), (403, 200));
    assert_eq!(reset(&token, new_password("yet another password")).await.status, 400, "it was used");
    until("sessions end", async || api.ui("GET", "users/me/profile", Some(&ada.access), None).await.status == 401)
        .await;
    api.close().await;
}

#[tokio::test]
async fn only_so_many_mails_are_sent_and_only_the_newest_link_holds() {
    let api = Api::start().await;
    api.sign_up("ada").await;
    let forgot =
        async || api.ui("POST", "users/forgot-password", None, Some(json!({"email": "ada@example.com"}))).await.status;
    assert_eq!(forgot().await, 200);
    let first = api.mailed_token("ada@example.com", 2).await;
    assert_eq!(forgot().await, 200);
    let second = api.mailed_token("ada@example.com", 3).await;
    assert_ne!(first, second);
    let path = |token: &str| format!("users/reset-password?token={token}");
    assert_eq!(api.ui("POST", &path(&first), None, new_password("another password")).await.status, 400);
    assert_eq!(api.ui("POST", &path(&second), None, new_password("another password")).await.status, 200);
    assert_eq!((forgot().await, forgot().await), (200, 429));
    assert_eq!(api.ui("POST", "users/forgot-password", None, Some(json!({"email": "x"}))).await.status, 400);
    api.close().await;
}

#[tokio::test]
async fn an_address_is_verified_by_the_mail_to_it_alone() {
    let api = Api::start().await;
    let ada = api.sign_up("ada").await;
    let first = api.mailed_token("ada@example.com", 1).await;
    let is_verified = async || {
        api.ui("GET", "users/me/profile", Some(&ada.access), None).await.data()["email_verified"] == json!(true)
    };
    let verify =
        async |token: &str| api.ui("POST", &format!("users/verify_email?token={token}"), None, None).await.status;
    let reset = format!("users/reset-password?token={first}");
    assert_eq!(api.ui("POST", &reset, None, new_password("another password")).await.status, 400, "for this alone");

    // A changed address makes the old one's link void.
    let body = json!({"email": "ada@example.org", "current_password": "password of ada"});
    assert_eq!(api.ui("PUT", "users/me/profile", Some(&ada.access), Some(body)).await.status, 200);
    assert_eq!(verify(&first).await, 400);
    assert!(!is_verified().await);
    let second = api.mailed_token("ada@example.org", 1).await;
    assert_eq!((verify(&second).await, verify(&second).await), (200, 400));
    assert!(is_verified().await);

    let resend = async || api.ui("POST", "users/resend_verification_email", Some(&ada.access), None).await.status;
    assert_eq!(resend().await, 200, "there is nothing to verify, and nothing is sent");
    let body = json!({"email": "ada@example.net", "current_password": "password of ada"});
    let moved = api.ui("PUT", "users/me/profile", Some(&ada.access), Some(body)).await;
    assert_eq!(moved.data()["email_verified"], json!(false));
    assert_eq!(resend().await, 200);
    let third = api.mailed_token("ada@example.net", 2).await;
    assert_eq!(verify(&third).await, 200);
    assert_eq!(api.mails_to("ada@example.org").await.len(), 1);
    assert_eq!(api.ui("POST", "users/resend_verification_email", Some("a.b.c"), None).await.status, 401);
    api.close().await;
}
