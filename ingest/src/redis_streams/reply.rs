//! What Redis answers about streams, read without a panic whatever it is. RESP2 alone is asked for.

use redis::Value;

/// An entry of a stream; without fields: it was deleted from the stream while it waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: String,
    pub fields: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

/// The entries that XREADGROUP of one stream brought; none where it waited in vain.
pub(super) fn of_read(reply: Value) -> Option<Vec<Entry>> {
    let Value::Array(streams) = reply else {
        return (reply == Value::Nil).then(Vec::new);
    };
    match streams.into_iter().next() {
        None => Some(Vec::new()),
        Some(Value::Array(stream)) => entries(stream.into_iter().nth(1)?),
        Some(_) => None,
    }
}

/// Where XAUTOCLAIM goes on, and the entries that it brought.
pub(super) fn of_claim(reply: Value) -> Option<(String, Vec<Entry>)> {
    let Value::Array(parts) = reply else { return None };
    let mut parts = parts.into_iter();
    let next = text(parts.next()?)?;
    Some((next, entries(parts.next()?)?))
}

/// Name, unanswered entries and idle milliseconds of each consumer that XINFO CONSUMERS lists.
pub(super) fn of_consumers(reply: Value) -> Option<Vec<(String, i64, i64)>> {
    let Value::Array(consumers) = reply else { return None };
    consumers.into_iter().map(consumer).collect()
}

fn consumer(reply: Value) -> Option<(String, i64, i64)> {
    let Value::Array(fields) = reply else { return None };
    let (mut name, mut pending, mut idle) = (None, None, None);
    let mut fields = fields.into_iter();
    while let (Some(key), Some(value)) = (fields.next(), fields.next()) {
        match (text(key)?.as_str(), value) {
            ("name", value) => name = text(value),
            ("pending", Value::Int(count)) => pending = Some(count),
            ("idle", Value::Int(millis)) => idle = Some(millis),
            _ => {}
        }
    }
    Some((name?, pending?, idle?))
}

/// The entries that were given to nobody of this group yet, as XINFO GROUPS lists it. Redis 6 does not tell, and none does after
/// entries were deleted from among them.
pub(super) fn lag_of_group(reply: Value, group: &str) -> Option<u64> {
    let Value::Array(groups) = reply else { return None };
    groups.into_iter().find_map(|listed| {
        let Value::Array(fields) = listed else { return None };
        let (mut is_group, mut lag) = (false, None);
        let mut fields = fields.into_iter();
        while let (Some(key), Some(value)) = (fields.next(), fields.next()) {
            match (text(key)?.as_str(), value) {
                ("name", value) => is_group = text(value)? == group,
                ("lag", Value::Int(count)) => lag = u64::try_from(count).ok(),
                _ => {}
            }
        }
        lag.filter(|_| is_group)
    })
}

fn entries(reply: Value) -> Option<Vec<Entry>> {
    let Value::Array(entries) = reply else { return None };
    // Redis 6 puts nil in the place of a deleted entry that is claimed.
    entries.into_iter().filter(|entry| *entry != Value::Nil).map(entry).collect()
}

fn entry(reply: Value) -> Option<Entry> {
    let Value::Array(parts) = reply else { return None };
    let mut parts = parts.into_iter();
    let id = text(parts.next()?)?;
    let fields = match parts.next()? {
        Value::Array(fields) => {
            let mut bytes = fields.into_iter().map(bytes);
            let mut pairs = Vec::new();
            while let (Some(name), Some(value)) = (bytes.next(), bytes.next()) {
                pairs.push((name?, value?));
            }
            Some(pairs)
        }
        Value::Nil => None,
        _ => return None,
    };
    Some(Entry { id, fields })
}

fn text(value: Value) -> Option<String> {
    String::from_utf8(bytes(value)?).ok()
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn array<const N: usize>(values: [Value; N]) -> Value {
        Value::Array(values.to_vec())
    }

    #[test]
    fn entries_and_their_fields_are_read() {
        let live = array([bulk("1-0"), array([bulk("body"), bulk("{}"), bulk("k"), bulk("v")])]);
        let deleted = array([bulk("2-0"), Value::Nil]);
        let read = of_read(array([array([bulk("stream"), array([live.clone(), deleted])])])).unwrap();
        let fields = vec![(b"body".to_vec(), b"{}".to_vec()), (b"k".to_vec(), b"v".to_vec())];
        let first = Entry { id: "1-0".into(), fields: Some(fields) };
        assert_eq!(read, [first.clone(), Entry { id: "2-0".into(), fields: None }]);
        assert_eq!(of_read(Value::Nil), Some(Vec::new()));
        let claimed = of_claim(array([bulk("0-0"), array([Value::Nil, live]), array([bulk("3-0")])]));
        assert_eq!(claimed, Some(("0-0".into(), vec![first])));
    }

    #[test]
    fn consumers_are_read_whatever_else_is_said_of_them() {
        let one = array([
            bulk("name"),
            bulk("c"),
            bulk("pending"),
            Value::Int(2),
            bulk("new"),
            Value::Nil,
            bulk("idle"),
            Value::Int(9),
        ]);
        assert_eq!(of_consumers(array([one])), Some(vec![("c".into(), 2, 9)]));
    }

    #[test]
    fn the_lag_is_that_of_the_group_where_redis_tells() {
        let group = |name: &str, lag: Value| {
            array([bulk("name"), bulk(name), bulk("pending"), Value::Int(1), bulk("lag"), lag])
        };
        let groups = || array([group("a", Value::Int(1)), group("b", Value::Int(7)), group("c", Value::Nil)]);
        assert_eq!(["a", "b", "c", "d"].map(|name| lag_of_group(groups(), name)), [Some(1), Some(7), None, None]);
        assert_eq!(lag_of_group(Value::Nil, "a"), None);
    }

    #[test]
    fn what_is_no_such_answer_is_none() {
        for reply in [Value::Okay, Value::Int(1), array([Value::Int(1)]), array([array([bulk("s"), Value::Int(1)])])] {
            assert_eq!(of_read(reply.clone()), None, "{reply:?}");
            assert_eq!(of_claim(reply.clone()), None, "{reply:?}");
        }
        assert_eq!(of_consumers(array([Value::Int(1)])), None);
    }
}
