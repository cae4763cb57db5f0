//! The description of the API is committed, and changes only on purpose.

#[test]
fn the_description_is_the_committed_one() {
    let json = serde_json::to_string_pretty(&posthouse_api::router::openapi()).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if json != committed {
        std::fs::write(path, &json).unwrap();
        panic!("the API's description changed: api/openapi.json was rewritten; read the difference and commit it");
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
