//! The compiled filter against a plain evaluation that is written the other way round: it lists every value of the event
//! with its key first, and looks conditions up in the list. And whatever is thrown at a filter, nothing panics.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{Filter, Index, Scopes};

/// A part of a key of the event: of a name between dots, or the number of an element.
#[derive(Clone, PartialEq)]
enum Token {
    Name(String),
    Element(usize),
}

type Listed<'v> = Vec<(Vec<Token>, &'v Value)>;

fn list<'v>(value: &'v Value, key: &[Token], listed: &mut Listed<'v>) {
    listed.push((key.to_vec(), value));
    let below = |tokens: Vec<Token>| key.iter().cloned().chain(tokens).collect::<Vec<_>>();
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                list(value, &below(name.split('.').map(|part| Token::Name(part.into())).collect()), listed);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                list(value, &below(vec![Token::Element(at)]), listed);
            }
        }
        _ => {}
    }
}

fn is_named(key: &str, tokens: &[Token]) -> bool {
    let parts: Vec<&str> = key.split('.').collect();
    parts.len() == tokens.len()
        && parts.iter().zip(tokens).all(|(part, token)| match token {
            Token::Element(at) => *part == "$" || *part == at.to_string(),
            Token::Name(name) => *part != "$" && part == name,
        })
}

fn holds(conditions: &Value, root: &Listed<'_>) -> bool {
    conditions.as_object().unwrap().iter().all(|(key, condition)| match key.as_str() {
        "$or" => condition.as_array().unwrap().iter().any(|item| holds(item, root)),
        "$and" => condition.as_array().unwrap().iter().all(|item| holds(item, root)),
        key => below(key, condition, root),
    })
}

/// Follows nested conditions down to operators and values.
fn below(key: &str, condition: &Value, root: &Listed<'_>) -> bool {
    match condition {
        Value::Object(fields) if !fields.is_empty() => {
            let (operators, deeper): (Vec<_>, Vec<_>) =
                fields.iter().partition(|(name, _)| name.starts_with('$') && !name.starts_with("$."));
            let of_key = operators.is_empty()
                || one_of(key, root, |value| {
                    operators.iter().all(|(operator, operand)| operate(operator, operand, value))
                });
            of_key && deeper.iter().all(|(name, condition)| below(&format!("{key}.{name}"), condition, root))
        }
        Value::Array(items) if matches!(items.first(), Some(Value::Object(_))) => {
            items.iter().enumerate().all(|(at, item)| below(&format!("{key}.{at}"), item, root))
        }
        bare => one_of(key, root, |value| match value {
            Some(Value::Array(items)) if !bare.is_array() => items.iter().any(|item| is_equal(item, bare)),
            value => operate("$eq", bare, value),
        }),
    }
}

fn one_of(key: &str, root: &Listed<'_>, test: impl Fn(Option<&Value>) -> bool) -> bool {
    let named: Vec<&Value> = root.iter().filter(|(tokens, _)| is_named(key, tokens)).map(|(_, value)| *value).collect();
    if named.is_empty() { test(None) } else { named.into_iter().any(|value| test(Some(value))) }
}

fn operate(operator: &str, operand: &Value, value: Option<&Value>) -> bool {
    let number = |value: &Value| match value {
        Value::String(text) if !text.contains(|char: char| char.is_alphabetic()) => text.parse::<f64>().ok(),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    let ordered = |test: fn(f64, f64) -> bool| {
        value.and_then(number).zip(number(operand)).is_some_and(|(value, operand)| test(value, operand))
    };
    let is_in = || operand.as_array().unwrap().iter().any(|item| Some(canonical(item)) == value.map(canonical));
    match operator {
        "$eq" => value.is_some_and(|value| is_equal(value, operand)),
        "$neq" => !operate("$eq", operand, value),
        "$gt" => ordered(|value, operand| value > operand),
        "$gte" => ordered(|value, operand| value >= operand),
        "$lt" => ordered(|value, operand| value < operand),
        "$lte" => ordered(|value, operand| value <= operand),
        "$in" => is_in(),
        "$nin" => !is_in(),
        "$regex" => match value {
            Some(Value::String(text)) => regex::Regex::new(operand.as_str().unwrap()).unwrap().is_match(text),
            _ => false,
        },
        "$exist" => value.is_some() == operand.as_bool().unwrap(),
        other => panic!("{other}"),
    }
}

fn is_equal(one: &Value, two: &Value) -> bool {
    let as_number = |value: &Value| match value {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(number @ Value::Number(_)) => number,
            _ => value.clone(),
        },
        other => other.clone(),
    };
    canonical(&as_number(one)) == canonical(&as_number(two))
}

/// A text that is the same for values that are the same; small numbers only.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Number(number) => write!(text, "{:.6}", number.as_f64().unwrap() + 0.0).unwrap(),
        Value::Array(items) => write!(text, "[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")).unwrap(),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key:?}:{}", canonical(value))).collect();
            write!(text, "{{{}}}", fields.join(",")).unwrap();
        }
        other => write!(text, "{other}").unwrap(),
    }
    text
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..4_i32).prop_map(Value::from),
        (-3..4_i32).prop_map(|number| Value::from(f64::from(number) / 2.0)),
        (-3..4_i32).prop_map(|number| Value::from(number.to_string())),
        "[ab]{0,2}".prop_map(Value::from),
    ]
}

/// Few names, so that filters meet what they ask for; some hold dots, or look like elements.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "a.b", "0", "1", "b.0"]).prop_map(String::from)
}

fn event() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(name(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn operators() -> impl Strategy<Value = Value> {
    let number =
        || prop_oneof![(-3..4_i32).prop_map(Value::from), (-3..4_i32).prop_map(|n| Value::from(n.to_string()))];
    let operand = prop_oneof![
        (prop::sample::select(vec!["$eq", "$neq"]), event()),
        (prop::sample::select(vec!["$gt", "$gte", "$lt", "$lte"]), number()),
        (prop::sample::select(vec!["$in", "$nin"]), prop::collection::vec(event(), 0..3).prop_map(Value::Array)),
        (Just("$regex"), prop::sample::select(vec!["a", "^b", "a|b$", ""]).prop_map(Value::from)),
        (Just("$exist"), any::<bool>().prop_map(Value::from)),
    ];
    prop::collection::vec(operand, 1..3).prop_map(|operators| {
        Value::Object(operators.into_iter().map(|(operator, operand)| (operator.to_string(), operand)).collect())
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => name(),
        1 => prop::sample::select(vec!["a.$.b", "$.a", "b.$.0.$.a", "a.0.b"]).prop_map(String::from),
    ]
}

fn filter() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![scalar(), prop::collection::vec(scalar(), 0..3).prop_map(Value::Array), operators()];
    let nested = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::btree_map(name(), inner.clone(), 1..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            prop::collection::vec(prop::collection::btree_map(name(), inner, 1..2), 1..3)
                .prop_map(|items| items.into_iter().map(|item| Value::Object(item.into_iter().collect())).collect()),
        ]
    });
    let conditions = prop::collection::btree_map(key(), nested, 0..3)
        .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()));
    conditions.prop_recursive(2, 6, 3, |inner| {
        (prop::sample::select(vec!["$or", "$and"]), prop::collection::vec(inner.clone(), 0..3), inner).prop_map(
            |(group, items, beside)| {
                let mut conditions = beside.as_object().cloned().unwrap_or_default();
                conditions.insert(group.into(), Value::Array(items));
                Value::Object(conditions)
            },
        )
    })
}

/// Anything that JSON can say, with the words of filters among its names.
fn anything() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "$or", "$and", "$eq", "$neq", "$gt", "$in", "$nin", "$regex", "$exist", "$", "$.", "$.a", "a.$", "a.$.b", ".",
        "",
    ]);
    let names = prop_oneof![words.prop_map(String::from), name(), any::<String>()];
    prop_oneof![
        scalar(),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ]
    .prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(names.clone(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, max_global_rejects: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn a_compiled_filter_says_what_a_plain_evaluation_says(filter in filter(), event in event()) {
        let nothing = json!({});
        let compiled = Filter::compile(Scopes { headers: &nothing, body: &filter, query: &nothing, path: &nothing });
        // Two spellings of one key are refused; everything else that is made here is a filter.
        prop_assume!(compiled.is_ok() || compiled.as_ref().is_err_and(|error| !error.to_string().ends_with("given twice")));
        let mut listed = Vec::new();
        list(&event, &[], &mut listed);
        let scopes = Scopes { headers: &nothing, body: &event, query: &nothing, path: &nothing };
        prop_assert_eq!(compiled.unwrap().matches(scopes), Ok(holds(&filter, &listed)));
    }

    #[test]
    fn a_flat_filter_is_flat_and_says_the_same(filter in filter(), event in event()) {
        let nothing = json!({});
        let scopes = Scopes { headers: &nothing, body: &filter, query: &nothing, path: &nothing };
        let Ok(flat) = Filter::flatten(scopes) else { return Ok(()) };
        let flat = Value::Object(flat.body);
        let again = Scopes { body: &flat, ..scopes };
        prop_assert_eq!(&Value::Object(Filter::flatten(again).unwrap().body), &flat);
        let event = Scopes { headers: &nothing, body: &event, query: &nothing, path: &nothing };
        let (one, two) = (Filter::compile(scopes).unwrap(), Filter::compile(again).unwrap());
        prop_assert_eq!(one.matches(event), two.matches(event));
    }

    #[test]
    fn an_index_leaves_out_no_filter_that_matches(
        filters in prop::collection::vec([filter(), filter()], 1..12),
        event in [event(), event()],
    ) {
        // Groups and wildcards take part in the body; a header is as good as a parameter or a path.
        let nothing = json!({});
        let compiled = filters.iter().filter_map(|[body, headers]| {
            Filter::compile(Scopes { headers, body, query: &nothing, path: headers }).ok()
        });
        let compiled: Vec<Filter> = compiled.collect();
        let scopes = Scopes { headers: &event[1], body: &event[0], query: &nothing, path: &event[1] };
        let matches = |at: &usize| compiled[*at].matches(scopes) == Ok(true);
        let matching: Vec<usize> = (0..compiled.len()).filter(matches).collect();
        let numbered: Vec<_> = compiled.iter().map(Filter::requirements).enumerate().collect();
        let index = Index::new(&numbered, usize::MAX);
        let known = scopes.try_map(|_, value| Ok::<_, ()>(Some(value))).unwrap();
        let candidates = index.candidates(known);
        prop_assert!(matching.iter().all(|at| candidates.contains(at)), "{matching:?} of {candidates:?}");
        prop_assert!(candidates.is_sorted_by(|one, two| one < two), "{candidates:?}");
        // What cannot be read rules nothing out.
        let unread = index.candidates(Scopes { body: None, ..known });
        prop_assert!(candidates.iter().all(|at| unread.contains(at)));
        // One by one, so that no other filter decides which requirement counts; and every requirement counts by itself.
        for (at, requirement) in numbered.into_iter().flat_map(|(at, all)| all.into_iter().map(move |one| (at, one))) {
            let may_match = !Index::new(&[(at, vec![requirement])], usize::MAX).candidates(known).is_empty();
            prop_assert!(may_match || !matching.contains(&at), "{event:?} of {filters:?}");
        }
    }

    #[test]
    fn nothing_panics(filter in [anything(), anything(), anything(), anything()], event in [anything(), anything()]) {
        let [headers, body, query, path] = &filter;
        let event = Scopes { headers: &event[0], body: &event[1], query: &event[0], path: &event[1] };
        if let Ok(filter) = Filter::compile(Scopes { headers, body, query, path }) {
            let _outcome = filter.matches(event);
            let event = event.try_map(|_, value| Ok::<_, ()>(Some(value))).unwrap();
            let _candidates = Index::new(&[(0, filter.requirements())], usize::MAX).candidates(event);
        }
        for scope in &filter {
            if let Ok(filter) = Filter::compile(Scopes { headers: &json!({}), body: scope, query: &json!({}), path: &json!({}) }) {
                let _outcome = filter.matches(event);
            }
        }
    }
}
