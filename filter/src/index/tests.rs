use serde_json::json;

use super::*;
use crate::Filter;

fn filter(body: &Value) -> Filter {
    let nothing = json!({});
    Filter::compile(Scopes { headers: &nothing, body, query: &nothing, path: &nothing }).unwrap()
}

fn index(filters: &[Filter]) -> Index {
    of_bytes(filters, usize::MAX)
}

fn of_bytes(filters: &[Filter], bytes_max: usize) -> Index {
    let numbered: Vec<_> = filters.iter().map(Filter::requirements).enumerate().collect();
    Index::new(&numbered, bytes_max)
}

fn candidates(index: &Index, body: &Value) -> Vec<usize> {
    let nothing = json!({});
    let nothing = Some(&nothing);
    index.candidates(Scopes { headers: nothing, body: Some(body), query: nothing, path: nothing })
}

/// Which of one filter and one event may match.
fn may_match(body: &Value, event: &Value) -> bool {
    candidates(&index(&[filter(body)]), event) == [0]
}

#[test]
fn a_filter_is_left_out_when_what_it_requires_is_not_there() {
    for (body, event) in [
        (json!({"a": "x"}), json!({"a": "y"})),
        (json!({"a": "x"}), json!({"a": "X"})),
        (json!({"a": "x"}), json!({"A": "x"})),
        (json!({"a": "x"}), json!({"b": "x"})),
        (json!({"a": "x"}), json!({"a": {"b": "x"}})),
        (json!({"a": "x"}), json!({"a": ["y", ["x"]]})),
        (json!({"a": 1}), json!({"a": true})),
        (json!({"a": true}), json!({"a": "true"})),
        (json!({"a": null}), json!({})),
        (json!({"a": null}), json!({"a": ""})),
        (json!({"a": {"$eq": 1.5}}), json!({"a": 1})),
        (json!({"a": {"$in": ["x", 2]}}), json!({"a": "y"})),
        (json!({"a": {"$in": []}}), json!({"a": "y"})),
        (json!({"a": {"$gt": 1, "$eq": 2}}), json!({"a": 3})),
        (json!({"a": {"$exist": true, "$in": [1]}}), json!({"a": 3})),
        (json!({"b": {"$gt": 1}, "a": 1}), json!({"a": 2, "b": 2})),
        (json!({"items.$.sku": "x"}), json!({"items": [{"sku": "y"}, {"other": "x"}]})),
        (json!({"items.1.sku": "x"}), json!({"items": [{"sku": "x"}, {"sku": "y"}]})),
        (json!({"$or": [{"a": 1}, {"b": {"$in": [2, 3]}}]}), json!({"a": 2, "b": 1})),
        (json!({"$or": []}), json!({"a": 2})),
        (json!({"$and": [{"b": {"$gt": 0}}, {"$and": [{"a": 1}]}]}), json!({"a": 2, "b": 1})),
        (json!({"$or": [{"$and": [{"b": {"$gt": 0}}, {"a": 1}]}, {"a": 3}]}), json!({"a": 2, "b": 1})),
    ] {
        assert!(!may_match(&body, &event), "{body} on {event}");
    }
}

#[test]
fn a_filter_is_asked_where_equal_values_look_different_or_nothing_is_required() {
    for (body, event) in [
        (json!({"a": 1}), json!({"a": 1.0})),
        (json!({"a": 1}), json!({"a": "1.0"})),
        (json!({"a": "1e3"}), json!({"a": 1_000})),
        (json!({"a": 0}), json!({"a": -0.0})),
        (json!({"a": "-0"}), json!({"a": 0})),
        (json!({"a": u64::MAX}), json!({"a": "18446744073709551615"})),
        (json!({"a": 9_007_199_254_740_993_u64}), json!({"a": 9_007_199_254_740_992.0})),
        (json!({"a": {"$in": [1]}}), json!({"a": 1.0})),
        (json!({"a": {"$in": ["1"]}}), json!({"a": "1"})),
        (json!({"a": "x"}), json!({"a": ["y", "x"]})),
        (json!({"a": {"b": "x"}}), json!({"a.b": "x"})),
        (json!({"a.b.c": "x"}), json!({"a": {"b.c": "x"}})),
        (json!({"items.$.tags": "x"}), json!({"items": [{"tags": []}, {"tags": ["x"]}]})),
        // Nothing is required, or what is not known.
        (json!({}), json!({})),
        (json!({"a": {"$neq": 1}}), json!({})),
        (json!({"a": {"$nin": [1]}}), json!({"a": 1})),
        (json!({"a": {"$regex": "^x$"}}), json!({})),
        (json!({"a": ["x"]}), json!({"a": "y"})),
        (json!({"a": {}}), json!({"a": "y"})),
        (json!({"a": {"$eq": ["x"]}}), json!({"a": "y"})),
        (json!({"a": {"$in": ["x", ["y"]]}}), json!({"a": "z"})),
        (json!({"a": {"$in": (0..65).collect::<Vec<_>>()}}), json!({"a": 65})),
        (json!({"a": "x".repeat(257)}), json!({"a": "y"})),
        (json!({"$or": [{"a": 1}, {"b": {"$gt": 1}}]}), json!({"a": 2})),
        (json!({"$or": [{"a": 1}, {}]}), json!({"a": 2})),
    ] {
        assert!(may_match(&body, &event), "{body} on {event}");
    }
}

#[test]
fn the_rarest_requirement_counts() {
    let filters: Vec<_> =
        (0..100).map(|n| filter(&json!({"kind": "order", "a customer": n, "z": [n, "open"]}))).collect();
    let index = index(&filters);
    assert_eq!(candidates(&index, &json!({"kind": "order", "a customer": 7})), [7]);
    assert_eq!(candidates(&index, &json!({"kind": "order"})), Vec::<usize>::new());
}

#[test]
fn what_is_beyond_the_bound_is_asked() {
    let filters: Vec<_> = (0..100).map(|n| filter(&json!({"a": {"$in": [n, "x", "y", "z"]}}))).collect();
    let whole = index(&filters);
    let half = of_bytes(&filters, whole.bytes() / 2);
    assert!(half.bytes() < whole.bytes() / 2 + 500, "{} of {}", half.bytes(), whole.bytes());
    assert_eq!(candidates(&whole, &json!({"a": 99})), [99]);
    let asked = candidates(&half, &json!({"a": 3}));
    assert!((40..60).contains(&asked.len()) && asked.contains(&3) && asked.contains(&99), "{asked:?}");
    assert_eq!(candidates(&of_bytes(&filters, 0), &json!({})), (0..100).collect::<Vec<_>>());
}

#[test]
fn all_parts_of_an_event_are_known_and_one_that_is_not_rules_nothing_out() {
    let (nothing, asked) = (json!({}), json!({"a": "x"}));
    let filters = [
        Filter::compile(Scopes { headers: &asked, body: &nothing, query: &nothing, path: &nothing }).unwrap(),
        Filter::compile(Scopes { headers: &nothing, body: &asked, query: &nothing, path: &nothing }).unwrap(),
        Filter::compile(Scopes { headers: &nothing, body: &nothing, query: &asked, path: &nothing }).unwrap(),
        Filter::compile(Scopes { headers: &nothing, body: &nothing, query: &nothing, path: &asked }).unwrap(),
    ];
    let index = index(&filters);
    assert!(index.reads_body());
    let none = Scopes { headers: Some(&nothing), body: Some(&nothing), query: Some(&nothing), path: Some(&nothing) };
    assert_eq!(index.candidates(none), Vec::<usize>::new());
    assert_eq!(index.candidates(Scopes { headers: Some(&asked), ..none }), [0]);
    assert_eq!(index.candidates(Scopes { query: Some(&asked), path: Some(&asked), ..none }), [2, 3]);
    assert_eq!(index.candidates(Scopes { body: None, ..none }), [1]);
}

#[test]
fn work_is_bounded_and_what_was_not_looked_at_is_asked() {
    let filters = [
        filter(&json!({"items.$.id": 2})),
        filter(&json!({"list": 2})),
        filter(&json!({"other": 2})),
        filter(&json!({"other": 3})),
    ];
    let event = json!({"items": vec![json!({"id": 1}); 100_000], "list": vec![1; 100_000], "other": 3});
    assert_eq!(candidates(&index(&filters), &event), [0, 1, 3]);
}
