//! Conditions with dotted keys: `{"a": {"b": {"$gt": 1}}}` is `{"a.b": {"$gt": 1}}`. This is the form in which a filter is
//! shown and compiled, and where its shape and its size are checked.

use serde_json::{Map, Value};

use crate::error::Reason;

/// Operators that compare a value with their own.
pub(crate) const COMPARISONS: [&str; 10] =
    ["$eq", "$neq", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$regex", "$exist"];
pub(crate) const OR: &str = "$or";
pub(crate) const AND: &str = "$and";

/// Conditions of one scope.
const CONDITIONS_MAX: usize = 500;
/// How deep keys and groups may be nested.
const DEPTH_MAX: usize = 32;
/// Bytes of a dotted key.
const KEY_BYTES_MAX: usize = 1_024;

/// The conditions with dotted keys; those inside `$or` and `$and` are flattened by themselves.
///
/// # Errors
/// The conditions do not have the shape of a filter, or are too many.
pub(crate) fn flatten(conditions: &Map<String, Value>) -> Result<Map<String, Value>, Reason> {
    let mut count = 0;
    group(conditions, 0, &mut count)
}

fn group(conditions: &Map<String, Value>, depth: usize, count: &mut usize) -> Result<Map<String, Value>, Reason> {
    check_depth(depth)?;
    let mut flat = Flat { conditions: Map::new(), count };
    for (key, value) in conditions {
        if key == OR || key == AND {
            let items = value.as_array().ok_or(Reason::GroupNotAnArray)?;
            let items = items.iter().map(|item| {
                let item = item.as_object().ok_or(Reason::GroupItem)?;
                // An empty item costs as much as a condition.
                step(flat.count)?;
                group(item, depth + 1, flat.count).map(Value::Object)
            });
            let items = items.collect::<Result<_, _>>()?;
            flat.conditions.insert(key.clone(), Value::Array(items));
        } else if COMPARISONS.contains(&key.as_str()) {
            return Err(Reason::NoKey(key.clone()));
        } else {
            flat.put(known(key)?.to_string(), value, depth + 1)?;
        }
    }
    Ok(flat.conditions)
}

struct Flat<'c> {
    conditions: Map<String, Value>,
    count: &'c mut usize,
}

impl Flat<'_> {
    fn put(&mut self, key: String, value: &Value, depth: usize) -> Result<(), Reason> {
        check_depth(depth)?;
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let mut operators = Map::new();
                for (name, value) in fields {
                    if COMPARISONS.contains(&name.as_str()) {
                        operators.insert(name.clone(), value.clone());
                    } else if name == OR || name == AND {
                        return Err(Reason::GroupBelowKey(key));
                    } else {
                        self.put(join(&key, known(name)?)?, value, depth + 1)?;
                    }
                }
                if operators.is_empty() { Ok(()) } else { self.insert(key, Value::Object(operators)) }
            }
            Value::Array(items) if items.first().is_some_and(Value::is_object) => {
                for (at, item) in items.iter().enumerate() {
                    if !item.is_object() {
                        return Err(Reason::MixedArray(key));
                    }
                    self.put(join(&key, &at.to_string())?, item, depth + 1)?;
                }
                Ok(())
            }
            other => self.insert(key, other.clone()),
        }
    }

    fn insert(&mut self, key: String, condition: Value) -> Result<(), Reason> {
        step(self.count)?;
        check_key(key.len())?;
        if self.conditions.contains_key(&key) {
            return Err(Reason::Repeated(key));
        }
        self.conditions.insert(key, condition);
        Ok(())
    }
}

/// A key that is no operator, or the beginning of one that names elements of an array.
fn known(key: &str) -> Result<&str, Reason> {
    if key.starts_with('$') && !key.starts_with("$.") { Err(Reason::UnknownOperator(key.into())) } else { Ok(key) }
}

fn join(key: &str, name: &str) -> Result<String, Reason> {
    // Checked before it is made: a long key above many short ones would multiply.
    check_key(key.len() + 1 + name.len())?;
    Ok(format!("{key}.{name}"))
}

const fn check_key(bytes: usize) -> Result<(), Reason> {
    if bytes > KEY_BYTES_MAX {
        Err(Reason::TooMany { max: KEY_BYTES_MAX, what: "bytes of a dotted key" })
    } else {
        Ok(())
    }
}

const fn check_depth(depth: usize) -> Result<(), Reason> {
    if depth > DEPTH_MAX { Err(Reason::TooMany { max: DEPTH_MAX, what: "levels" }) } else { Ok(()) }
}

const fn step(count: &mut usize) -> Result<(), Reason> {
    *count += 1;
    if *count > CONDITIONS_MAX { Err(Reason::TooMany { max: CONDITIONS_MAX, what: "conditions" }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flat(conditions: Value) -> Result<Value, Reason> {
        flatten(conditions.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn keys_are_dotted_and_operators_stay() {
        for (conditions, expected) in [
            (json!({}), json!({})),
            (json!({"a": {"b": 1}, "c": null, "d": {}}), json!({"a.b": 1, "c": null, "d": {}})),
            (json!({"a": {"b": {"$gt": 1, "$lt": 5}}}), json!({"a.b": {"$gt": 1, "$lt": 5}})),
            (json!({"a": {"$gt": 1, "b": 2}}), json!({"a": {"$gt": 1}, "a.b": 2})),
            (json!({"a": [1, 2], "b": []}), json!({"a": [1, 2], "b": []})),
            (json!({"a": [{"b": 1}, {"c": 2}]}), json!({"a.0.b": 1, "a.1.c": 2})),
            (json!({"$.a": 1, "b": {"$.c": 2}}), json!({"$.a": 1, "b.$.c": 2})),
            (
                json!({"$or": [{"a": {"b": 1}}, {"$and": [{"c": {"d": 2}}, {}]}], "e": 1}),
                json!({"$or": [{"a.b": 1}, {"$and": [{"c.d": 2}, {}]}], "e": 1}),
            ),
            (json!({"a": {"$in": [{"b": {"c": 1}}]}}), json!({"a": {"$in": [{"b": {"c": 1}}]}})),
        ] {
            assert_eq!(flat(conditions.clone()), Ok(expected), "{conditions}");
        }
    }

    #[test]
    fn what_is_no_filter_is_named() {
        let mut deep = json!(1);
        for _ in 0..40 {
            deep = json!({"a": deep});
        }
        let many: Map<String, Value> = (0..501).map(|n| (n.to_string(), n.into())).collect();
        for (conditions, text) in [
            (json!({"$weird": 1}), "$weird starts with a $ and is not a valid operator"),
            (json!({"a": {"$weird": 1}}), "$weird starts with a $ and is not a valid operator"),
            (json!({"a": {"b": {"$": 1}}}), "$ starts with a $ and is not a valid operator"),
            (json!({"$or": {"a": 1}}), "the value of $or and $and must be an array"),
            (json!({"$and": 1}), "the value of $or and $and must be an array"),
            (json!({"$or": [1]}), "the items of $or and $and must be objects"),
            (
                json!({"a": {"$or": []}}),
                "a: $or and $and stand at the top of a filter or inside each other, not below a key",
            ),
            (json!({"$gt": 1}), "$gt stands below the key that it is about"),
            (json!({"a": [{"b": 1}, 2]}), "a: an array that begins with an object must hold objects alone"),
            (json!({"a.b": 1, "a": {"b": 2}}), "a.b: the key is given twice"),
            (json!({"a": deep}), "at most 32 levels are accepted"),
            (Value::Object(many), "at most 500 conditions are accepted"),
            (json!({"a".repeat(1_025): 1}), "at most 1024 bytes of a dotted key are accepted"),
            (json!({"a".repeat(1_000): {"b".repeat(1_000): 1}}), "at most 1024 bytes of a dotted key are accepted"),
            (json!({"$or": vec![json!({}); 501]}), "at most 500 conditions are accepted"),
        ] {
            assert_eq!(flat(conditions).unwrap_err().to_string(), text);
        }
    }
}
