//! The headers of an AMQP message as texts. Tables, lists and bytes have no form in HTTP and are left out.

use lapin::types::{AMQPValue, FieldTable};

/// Names and values of those that are texts, numbers or booleans.
pub(super) fn texts(table: &FieldTable) -> Vec<(String, String)> {
    table.inner().iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}

fn text(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok()?.to_owned(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Float(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        AMQPValue::Timestamp(value) => value.to_string(),
        AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_text_or_number_is_taken() {
        let mut table = FieldTable::default();
        table.insert("x-text".into(), AMQPValue::LongString("a".into()));
        table.insert("x-count".into(), AMQPValue::LongInt(-7));
        table.insert("x-flag".into(), AMQPValue::Boolean(true));
        table.insert("x-not-utf8".into(), AMQPValue::LongString(vec![0xff].into()));
        table.insert("x-death".into(), AMQPValue::FieldTable(FieldTable::default()));
        let pairs = texts(&table);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("x-count", "-7"), ("x-flag", "true"), ("x-text", "a")]);
    }
}
