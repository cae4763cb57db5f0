//! The description of the API is committed, and changes only on purpose.

use posthouse_api::{router, ui};

#[test]
fn the_description_is_the_committed_one() {
    is_committed("openapi.json", &serde_json::to_string_pretty(&router::openapi()).unwrap());
    is_committed("ui-openapi.json", &serde_json::to_string_pretty(&ui::openapi()).unwrap());
    is_committed("portal-openapi.json", &serde_json::to_string_pretty(&router::portal_openapi()).unwrap());
}

fn is_committed(name: &str, json: &str) {
    let json = format!("{json}\n");
    let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if json != committed {
        std::fs::write(path, &json).unwrap();
        panic!("the description changed: api/{name} was rewritten; read the difference and commit it");
    }
    let description: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(description["openapi"], "3.1.0");
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(
                operation["summary"].is_string() && operation["operationId"].is_string(),
                "{method} {path} is not described"
            );
        }
    }
}
