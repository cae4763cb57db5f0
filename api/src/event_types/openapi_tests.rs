//! Documents as people write them, and as attackers do.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn names(spec: &Value) -> Vec<String> {
    event_types(&spec.to_string()).unwrap().into_iter().map(|values| values.name).collect()
}

fn webhook(schema: &Value) -> Value {
    json!({"openapi": "3.1.0", "webhooks": {"order.made": {"post": {"description": "An order was made.",
        "requestBody": {"content": {"application/json": {"schema": schema}}}}}}})
}

fn refusal(spec: &Value) -> String {
    event_types(&spec.to_string()).unwrap_err().to_string()
}

#[test]
fn a_webhook_becomes_an_event_type_with_its_schema() {
    let found = event_types(&webhook(&json!({"type": "object", "properties": {"id": {"type": "string"}}})).to_string());
    let [made] = found.unwrap().try_into().unwrap();
    assert_eq!((made.name.as_str(), made.description.as_str()), ("order.made", "An order was made."));
    assert_eq!(
        made.json_schema.unwrap(),
        json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": null})
    );
    let yaml = "openapi: 3.0.3\nx-webhooks:\n  user.left:\n    post:\n      summary: Somebody left.\n      responses:\n        200: {description: ok}\n";
    let [left] = event_types(yaml).unwrap().try_into().unwrap();
    assert_eq!(
        (left.name.as_str(), left.description.as_str(), left.json_schema),
        ("user.left", "Somebody left.", None)
    );
}

#[test]
fn webhooks_are_looked_for_in_three_places() {
    let post = |id: Option<&str>| json!({"post": {"operationId": id, "responses": {}}});
    let spec =
        json!({"webhooks": {"a": post(None)}, "x-webhooks": {"b": post(None)}, "paths": {"/webhooks/c": post(None)}});
    assert_eq!(names(&spec), ["a"]);
    assert_eq!(names(&json!({"webhooks": {}, "x-webhooks": {"b": post(None)}})), ["b"]);
    let paths = json!({"paths": {"/webhooks/c": post(None), "/orders": post(Some("order")), "/webhooks/d": post(Some("d.made")),
        "/e": {"post": {"tags": ["Webhooks"]}}, "/webhooks/list": {"get": {}}}});
    assert_eq!(names(&paths), ["d.made", "e", "webhooks.c"]);
    for spec in [json!({}), json!([]), json!({"webhooks": []}), json!({"paths": {"/orders": post(None)}}), json!("x")] {
        assert_eq!(refusal(&spec), "no webhooks found in OpenAPI spec", "{spec}");
    }
}

#[test]
fn references_are_resolved_and_what_contains_itself_is_cut() {
    let mut spec = webhook(&json!({"$ref": "#/components/schemas/Order"}));
    spec["components"] = json!({"schemas": {
        "Order": {"type": "object", "properties": {"parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}}},
        "Part": {"type": "object", "properties": {"of": {"$ref": "#/components/schemas/Order"}, "a~1": {"type": "string"}}},
    }});
    let [made] = event_types(&spec.to_string()).unwrap().try_into().unwrap();
    let schema = made.json_schema.unwrap();
    let part = &schema["properties"]["parts"]["items"]["properties"];
    assert_eq!(part["of"]["description"], "As #/components/schemas/Order, of which this is a part.");
    assert!(!schema.to_string().contains("$ref"));
}

#[test]
fn what_leads_outside_or_nowhere_is_refused_with_its_name() {
    for (reference, part) in [
        ("https://example.com/schema.json", "only references into the document"),
        ("file:///etc/passwd", "only references into the document"),
        ("other.yaml#/a", "only references into the document"),
        ("#/components/schemas/None", "there is nothing of this name"),
    ] {
        let text = refusal(&webhook(&json!({"$ref": reference})));
        assert!(text.starts_with("spec: order.made: ") && text.contains(part), "{reference}: {text}");
    }
    let text = refusal(&webhook(&json!({"type": "nonsense"})));
    assert!(text.contains("invalid JSON schema"), "{text}");
}

#[test]
fn references_cannot_make_much_of_little() {
    let mut schemas = json!({"S0": {"type": "string"}});
    for n in 1..30 {
        let before = format!("#/components/schemas/S{}", n - 1);
        schemas[format!("S{n}")] = json!({"allOf": [{"$ref": before}, {"$ref": before}]});
    }
    let mut spec = webhook(&json!({"$ref": "#/components/schemas/S29"}));
    spec["components"] = json!({"schemas": schemas});
    assert!(refusal(&spec).contains("more than 20000 values"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever the text, the answer is a list or a refusal.
    #[test]
    fn no_document_makes_it_panic(text in "[ -~\u{0}\u{e4}\n]{0,200}", key in "(webhooks|paths|x-webhooks)", inner in "[\\[\\]{}:,\"a-z$#&*/ \n-]{0,80}") {
        drop(event_types(&text));
        drop(event_types(&format!("{key}:\n  {inner}")));
        drop(event_types(&format!("{{\"{key}\": {{\"a\": {{\"post\": {inner}}}}}}}")));
    }
}
