//! Onboarding: what is queued, and what is refused with its row.

use posthouse_jobs::OnboardBatch;
use serde_json::{Value, json};

use crate::harness::{Answer, Api};

async fn send_file(api: &Api, query: &str, file: &str) -> Answer {
    let body = format!(
        "--bnd\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n{file}\r\n--bnd--\r\n"
    );
    let headers = [("content-type", "multipart/form-data; boundary=bnd")];
    api.send("POST", &api.path(&format!("onboard{query}")), Some(&api.key), &headers, Some(body)).await
}

#[tokio::test]
async fn rows_are_queued_in_batches() {
    let api = Api::start().await;
    let item = |n: usize| json!({"name": format!("e{n}"), "url": format!("https://example.com/{n}")});
    let items: Vec<Value> = (0..75).map(item).collect();
    let accepted = api.post("onboard", json!({"items": items})).await;
    assert_eq!((accepted.status, accepted.message()), (202, "Bulk onboard request accepted"));
    let data = json!({"batch_count": 2, "total_items": 75, "message": "Bulk onboard request accepted for processing"});
    assert_eq!(accepted.data(), &data);
    let queued = api.queued::<OnboardBatch>().await;
    let mut sizes: Vec<usize> = queued.iter().map(|job| job.rows.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [25, 50]);
    assert!(queued.iter().all(|job| job.project_id.to_string() == api.project));
    assert!(queued.iter().flat_map(|job| &job.rows).all(|row| row.event_type == "*"));
    api.close().await;
}

#[tokio::test]
async fn a_file_is_read_like_a_list() {
    let api = Api::start().await;
    let accepted = send_file(
        &api,
        "",
        "name,url,event_type,auth_username,auth_password\r\na,https://example.com/a,x.y,u,hunter2\r\n",
    )
    .await;
    assert_eq!((accepted.status, &accepted.data()["total_items"]), (202, &json!(1)), "{}", accepted.body);
    let [job] = api.queued::<OnboardBatch>().await.try_into().unwrap();
    assert_eq!((job.rows[0].event_type.as_str(), job.rows[0].auth_password.as_str()), ("x.y", "hunter2"));
    for (file, message) in [
        ("a,b\r\n1,2", "file: the first line must name the columns name and url; name is missing"),
        ("name,url", "items list cannot be empty"),
        ("name,url\r\nx", "file: row 1 has 1 fields where 2 are expected"),
    ] {
        let refused = send_file(&api, "", file).await;
        assert_eq!((refused.status, refused.message()), (400, message));
    }
    let many = format!("name,url\r\n{}", "a,https://example.com\r\n".repeat(1_001));
    assert!(send_file(&api, "", &many).await.message().starts_with("items: at most"), "larger than other bodies");
    let headers = [("content-type", "multipart/form-data; boundary=bnd")];
    let body = "--bnd\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--bnd--\r\n".to_string();
    let path = api.path("onboard");
    let missing = api.send("POST", &path, Some(&api.key), &headers, Some(body.clone())).await;
    assert_eq!((missing.status, missing.message()), (400, "failed to read file field"));
    let elsewhere = api.send("POST", &api.path("endpoints"), Some(&api.key), &headers, Some(body)).await;
    assert_eq!(elsewhere.status, 415, "forms are taken only here");
    assert_eq!(api.queued::<OnboardBatch>().await.len(), 1, "nothing that was refused is queued");
    api.close().await;
}

#[tokio::test]
async fn faults_are_named_with_their_rows_and_nothing_is_queued() {
    let api = Api::start().await;
    let items = json!({"items": [
        {"name": "", "url": "x"},
        {"name": "a", "url": "https://example.com/a", "auth_username": "u"},
        {"name": "b\u{0}", "url": "ftp://example.com"},
        {"name": "c", "url": "https://example.com/c"},
    ]});
    let both = "auth_username/auth_password";
    let expected = json!({"total_rows": 4, "valid_count": 1, "errors": [
        {"row": 1, "field": "name", "message": "name is required"},
        {"row": 1, "field": "url", "message": "endpoint url must include a valid host"},
        {"row": 2, "field": both, "message": "both auth_username and auth_password must be provided together"},
        {"row": 3, "field": "name", "message": "the NUL character is not accepted"},
        {"row": 3, "field": "url", "message": "invalid endpoint scheme"},
    ]});
    let dry = api.post("onboard?dry_run=true", items.clone()).await;
    assert_eq!((dry.status, dry.message(), dry.data()), (200, "Dry run validation complete", &expected));
    let refused = api.post("onboard", items).await;
    assert_eq!((refused.status, refused.message(), refused.data()), (400, "Validation failed", &expected));
    assert_eq!(refused.body["status"], json!(false));
    let good = json!({"items": [{"name": "a", "url": "https://example.com/a"}]});
    let dry = api.post("onboard?dry_run=true", good).await;
    assert_eq!(dry.data(), &json!({"total_rows": 1, "valid_count": 1, "errors": []}));
    for (body, message) in [
        (json!({}), "items list cannot be empty"),
        (json!({"items": []}), "items list cannot be empty"),
        (json!({"items": 5}), "body contains incorrect JSON"),
        (json!({"items": vec![json!({}); 1_001]}), "items: at most 1000 are accepted"),
    ] {
        let answer = api.post("onboard", body).await;
        assert!(answer.status == 400 && answer.message().starts_with(message), "{}", answer.body);
    }
    assert!(api.queued::<OnboardBatch>().await.is_empty());
    api.close().await;
}
