//! Rows from a CSV file (RFC 4180) whose first line names the columns, in any order.

use super::{ITEMS_MAX, wire::OnboardItem};
use crate::error::ApiError;

/// The file's rows, up to one more than are accepted.
///
/// # Errors
/// 400: it is no UTF-8, a column is missing or there twice, or a row has another number of fields.
pub fn read(file: &[u8]) -> Result<Vec<OnboardItem>, ApiError> {
    let text = std::str::from_utf8(file).map_err(|_| ApiError::invalid("file: UTF-8 is expected"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let names: Vec<String> =
        reader.headers().map_err(|error| wrong(&error, 0))?.iter().map(str::to_ascii_lowercase).collect();
    let columns = Columns::of(&names)?;
    let mut items = Vec::new();
    for (index, record) in reader.records().take(ITEMS_MAX + 1).enumerate() {
        items.push(columns.item(&record.map_err(|error| wrong(&error, index + 1))?));
    }
    Ok(items)
}

/// Where each field stands in a line.
struct Columns {
    name: usize,
    url: usize,
    event_type: Option<usize>,
    auth_username: Option<usize>,
    auth_password: Option<usize>,
}

impl Columns {
    fn of(names: &[String]) -> Result<Self, ApiError> {
        let optional = |column: &'static str| {
            let mut places = names.iter().enumerate().filter(|(_, name)| *name == column).map(|(place, _)| place);
            let first = places.next();
            if places.next().is_some() {
                return Err(ApiError::invalid(format!("file: the column {column} is there twice")));
            }
            Ok(first)
        };
        let required = |column| {
            optional(column)?.ok_or_else(|| {
                ApiError::invalid(format!(
                    "file: the first line must name the columns name and url; {column} is missing"
                ))
            })
        };
        Ok(Self {
            name: required("name")?,
            url: required("url")?,
            event_type: optional("event_type")?,
            auth_username: optional("auth_username")?,
            auth_password: optional("auth_password")?,
        })
    }

    fn item(&self, record: &csv::StringRecord) -> OnboardItem {
        let field = |place: Option<usize>| place.and_then(|place| record.get(place)).map(String::from);
        OnboardItem {
            name: field(Some(self.name)),
            url: field(Some(self.url)),
            event_type: field(self.event_type),
            auth_username: field(self.auth_username),
            auth_password: field(self.auth_password),
        }
    }
}

fn wrong(error: &csv::Error, row: usize) -> ApiError {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            ApiError::invalid(format!("file: row {row} has {len} fields where {expected_len} are expected"))
        }
        _ => ApiError::invalid("file: CSV is expected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_come_in_any_order_and_fields_be_quoted() {
        let file = "\u{feff}URL, Name ,event_type,other\r\nhttps://a.example/x,\"a, \"\"b\"\"\",c.d,1\r\n\r\nhttps://b.example, b ,,\n";
        let items = read(file.as_bytes()).unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!((items[0].name.as_deref(), items[0].event_type.as_deref()), (Some("a, \"b\""), Some("c.d")));
        assert_eq!((items[1].name.as_deref(), items[1].event_type.as_deref()), (Some("b"), Some("")));
        assert!(read(b"name,url\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        for (file, part) in [
            (b"a,b\n1,2\n".as_slice(), "name is missing"),
            (b"", "name is missing"),
            (b"name\nx\n", "url is missing"),
            (b"name,url,name\nx,y,z\n", "there twice"),
            (b"name,url\nx\n", "row 1 has 1 fields where 2 are expected"),
            (b"name,url\n\xff,y\n", "UTF-8"),
        ] {
            let error = read(file).err().unwrap().to_string();
            assert!(error.starts_with("file: ") && error.contains(part), "{error}");
        }
    }
}
