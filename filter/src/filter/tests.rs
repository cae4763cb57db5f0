use serde_json::json;

use super::*;

fn none() -> Value {
    json!({})
}

fn compile(body: &Value) -> Result<Filter, FilterError> {
    Filter::compile(Scopes { headers: &none(), body, query: &none(), path: &none() })
}

fn matches(body: &Value, event: &Value) -> bool {
    let nothing = none();
    let event = Scopes { headers: &nothing, body: event, query: &nothing, path: &nothing };
    compile(body).unwrap().matches(event).unwrap()
}

#[test]
fn every_operator_has_its_meaning() {
    for (filter, event, expected) in [
        (json!({}), json!({"a": 1}), true),
        (json!({}), json!(null), true),
        (json!({"a": 1}), json!({"a": 1}), true),
        (json!({"a": 1}), json!({"a": "1"}), true),
        (json!({"a": "x"}), json!({"a": "X"}), false),
        (json!({"a": {"b": true}}), json!({"a": {"b": true}}), true),
        (json!({"a": {"b": true}}), json!({"a": {"b": "true"}}), false),
        (json!({"a": null}), json!({"a": null}), true),
        (json!({"a": 1}), json!({"a": null}), false),
        (json!({"a": {}}), json!({"a": {}}), true),
        (json!({"a": {}}), json!({"a": {"b": 1}}), false),
        // A bare value is looked for in an array; an array is compared with it.
        (json!({"a": "x"}), json!({"a": ["y", "x"]}), true),
        (json!({"a": "x"}), json!({"a": ["y"]}), false),
        (json!({"a": ["y", "x"]}), json!({"a": ["y", "x"]}), true),
        (json!({"a": ["x", "y"]}), json!({"a": ["y", "x"]}), false),
        (json!({"a": {"$eq": "x"}}), json!({"a": ["x"]}), false),
        (json!({"a": {"$eq": ["x"]}}), json!({"a": ["x"]}), true),
        (json!({"a": {"$neq": 1}}), json!({"a": 2}), true),
        (json!({"a": {"$neq": 1}}), json!({"a": "1.0"}), false),
        (json!({"a": {"$gt": 4}}), json!({"a": 5}), true),
        (json!({"a": {"$gt": 4}}), json!({"a": "5"}), true),
        (json!({"a": {"$gt": "4"}}), json!({"a": 4}), false),
        (json!({"a": {"$gte": 4}}), json!({"a": 4.0}), true),
        (json!({"a": {"$lt": 4}}), json!({"a": 3.9}), true),
        (json!({"a": {"$lt": 4}}), json!({"a": 4}), false),
        (json!({"a": {"$lte": 4}}), json!({"a": 4}), true),
        // What is no number has no order.
        (json!({"a": {"$gt": 4}}), json!({"a": "many"}), false),
        (json!({"a": {"$gte": 4}}), json!({"a": null}), false),
        (json!({"a": {"$lt": 4}}), json!({"a": "few"}), false),
        (json!({"a": {"$lte": 4}}), json!({"a": [1]}), false),
        (json!({"a": {"$gt": 1, "$lt": 5}}), json!({"a": 3}), true),
        (json!({"a": {"$gt": 1, "$lt": 5}}), json!({"a": 7}), false),
        (json!({"a": {"$in": [1, "x"]}}), json!({"a": "x"}), true),
        (json!({"a": {"$in": [1, "x"]}}), json!({"a": 1.0}), true),
        (json!({"a": {"$in": [1, "x"]}}), json!({"a": "1"}), false),
        (json!({"a": {"$in": [1, "x"]}}), json!({"a": ["x"]}), false),
        (json!({"a": {"$in": []}}), json!({"a": 1}), false),
        (json!({"a": {"$nin": [1, "x"]}}), json!({"a": 2}), true),
        (json!({"a": {"$nin": [1, "x"]}}), json!({"a": "x"}), false),
        (json!({"a": {"$nin": [[1]]}}), json!({"a": [1]}), false),
        (json!({"a": {"$regex": "^in.*ce"}}), json!({"a": "invoice paid"}), true),
        (json!({"a": {"$regex": "voi"}}), json!({"a": "invoice"}), true),
        (json!({"a": {"$regex": "^v"}}), json!({"a": "invoice"}), false),
        (json!({"a": {"$regex": "1"}}), json!({"a": 1}), false),
        (json!({"a": {"$exist": true}}), json!({"a": null}), true),
        (json!({"a": {"$exist": true}}), json!({"a": {"b": [{}]}}), true),
        (json!({"a": {"$exist": false}}), json!({"a": 1}), false),
    ] {
        assert_eq!(matches(&filter, &event), expected, "{filter} on {event}");
    }
}

#[test]
fn a_missing_key_has_no_value() {
    for (condition, expected) in [
        (json!(1), false),
        (json!(null), false),
        (json!({"$eq": null}), false),
        (json!({"$neq": 1}), true),
        (json!({"$nin": [1]}), true),
        (json!({"$in": [null]}), false),
        (json!({"$gt": 1}), false),
        (json!({"$gte": 1}), false),
        (json!({"$lt": 1}), false),
        (json!({"$lte": 1}), false),
        (json!({"$regex": ""}), false),
        (json!({"$exist": false}), true),
        (json!({"$exist": true}), false),
        (json!({"$neq": 1, "$exist": true}), false),
    ] {
        let filter = json!({"a": {"b": condition}});
        for event in [json!({}), json!({"a": 1}), json!({"a": {"c": 1}}), json!([]), json!(null), json!("a.b")] {
            assert_eq!(matches(&filter, &event), expected, "{filter} on {event}");
        }
    }
    assert!(!matches(&json!({"a": 1, "b": 2}), &json!({"a": 1})), "every condition counts");
}

#[test]
fn groups_and_arrays_are_looked_into() {
    let items = json!({"items": [{"id": 1, "tag": ["x"]}, {"id": 2}], "total": 3});
    for (filter, expected) in [
        (json!({"$or": [{"total": 1}, {"total": 3}]}), true),
        (json!({"$or": [{"total": 1}, {"total": 2}]}), false),
        (json!({"$or": []}), false),
        (json!({"$and": []}), true),
        (json!({"$and": [{"total": {"$gt": 1}}, {"$or": [{"total": 9}, {"items": {"$exist": true}}]}]}), true),
        (json!({"$and": [{"total": 3}, {"total": 4}]}), false),
        (json!({"$or": [{"total": 3}], "total": 4}), false),
        (json!({"items.$.id": 2}), true),
        (json!({"items": {"$.id": 2}}), true),
        (json!({"items.$.id": 3}), false),
        (json!({"items.$.id": {"$gt": 1, "$lt": 2}}), false),
        (json!({"items.$.id": {"$neq": 1}}), true),
        (json!({"items.$.tag": "x"}), true),
        (json!({"items.$.other": {"$exist": false}}), true),
        (json!({"items.1.id": 2}), true),
        (json!({"items": [{"id": 1}]}), true),
        (json!({"items": [{"id": 1}, {"id": 3}]}), false),
        // Each condition looks for an element of its own.
        (json!({"items.$.id": 2, "items.$.tag": "x"}), true),
    ] {
        assert_eq!(matches(&filter, &items), expected, "{filter}");
    }
    assert!(matches(&json!({"$.id": 2}), &json!([{"id": 1}, {"id": 2}])));
}

#[test]
fn all_scopes_must_hold() {
    let headers = json!({"x-kind": "a"});
    let (body, query, path) = (json!({"n": {"$gt": 1}}), json!({"tag": "x"}), json!({"path": {"$regex": "^/ingest/"}}));
    let filter = Filter::compile(Scopes { headers: &headers, body: &body, query: &query, path: &path }).unwrap();
    let event = Scopes {
        headers: json!({"x-kind": "a", "other": "b"}),
        body: json!({"n": 2}),
        query: json!({"tag": ["y", "x"]}),
        path: json!({"path": "/ingest/abc"}),
    };
    assert_eq!(filter.matches(event.as_ref()), Ok(true));
    for (scope, other) in [
        (Scope::Headers, json!({"X-Kind": "a"})),
        (Scope::Body, json!({"n": 1})),
        (Scope::Query, json!({})),
        (Scope::Path, json!({"path": "/other"})),
    ] {
        let event = event.clone().try_map(|at, value| Ok::<_, ()>(if at == scope { other.clone() } else { value }));
        assert_eq!(filter.matches(event.unwrap().as_ref()), Ok(false), "{scope}");
    }
    assert!(!filter.is_empty() && filter.reads_body());
    let empty =
        Filter::compile(Scopes { headers: &Value::Null, body: &none(), query: &none(), path: &none() }).unwrap();
    assert!(empty.is_empty() && !empty.reads_body());
}

#[test]
fn what_is_wrong_is_named_with_its_scope() {
    for (body, text) in [
        (json!([]), "body: an object is expected"),
        (json!("x"), "body: an object is expected"),
        (json!({"a": {"$weird": 1}}), "body: $weird starts with a $ and is not a valid operator"),
        (json!({"a": {"$gt": "x"}}), "body: a: the value of $gt must be a number"),
        (json!({"a": {"$lte": null}}), "body: a: the value of $lte must be a number"),
        (json!({"a": {"b": {"$in": 1}}}), "body: a.b: the value of $in must be an array"),
        (json!({"a": {"$nin": {}}}), "body: a: the value of $nin must be an array"),
        (json!({"a": {"$exist": "yes"}}), "body: a: the value of $exist must be true or false"),
        (json!({"a": {"$regex": 1}}), "body: a: the value of $regex must be a text"),
        (json!({"a": {"$regex": "("}}), "body: a: the regular expression cannot be used: unclosed group"),
        (
            json!({"a": {"$regex": "x".repeat(1_025)}}),
            "body: a: the regular expression cannot be used: at most 1024 bytes are accepted",
        ),
        (json!({"$or": [{"a.$": 1}]}), "body: invalid filter syntax, found trailing $"),
        (json!({"a": "x".repeat(70_000)}), "body: at most 65536 bytes of JSON are accepted"),
    ] {
        assert_eq!(compile(&body).unwrap_err().to_string(), text);
    }
    let too_large = compile(&json!({"a": {"$regex": "(\\w{100}){100}"}})).unwrap_err().to_string();
    assert!(too_large.starts_with("body: a: the regular expression cannot be used: "), "{too_large}");
    let many: Vec<Value> = (0..21).map(|_| json!({"a": {"$regex": "x"}})).collect();
    let many = compile(&json!({"$or": many})).unwrap_err().to_string();
    assert_eq!(many, "body: at most 20 regular expressions are accepted");
    let query = json!({"a.$.b": 1});
    let outside = Filter::compile(Scopes { headers: &none(), body: &none(), query: &query, path: &none() });
    assert_eq!(
        outside.unwrap_err().to_string(),
        "query: a.$.b: $ stands for the elements of an array, which only a body has"
    );
}

#[test]
fn work_is_bounded() {
    let event =
        json!({"items": vec![json!({"id": 1}); 100_000], "text": "x".repeat(10_000_000), "list": vec![0; 300_000]});
    let nothing = none();
    let scopes = Scopes { headers: &nothing, body: &event, query: &nothing, path: &nothing };
    for filter in [
        json!({"items.$.id": 2}),
        json!({"text": {"$regex": "(x+x+)+y"}}),
        json!({"list": 1}),
        json!({"$or": vec![json!({"items.$.id": {"$in": vec![2; 100]}}); 100]}),
    ] {
        let outcome = compile(&filter).unwrap().matches(scopes);
        assert_eq!(outcome, Err(EvaluationError::TooMuchWork));
    }
    // What is found soon costs little, however large the event is.
    assert!(matches(&json!({"items.$.id": 1, "items.99999.id": 1}), &event));
    assert!(matches(&json!({"text": {"$exist": true}}), &event));
}
