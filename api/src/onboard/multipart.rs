//! One field out of a `multipart/form-data` body that is in memory (RFC 7578). Nothing is written to disk.

/// Longest boundary, RFC 2046 section 5.1.1.
const BOUNDARY_CHARS_MAX: usize = 70;

/// The boundary that a content type names.
#[must_use]
pub fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|text| (1..=BOUNDARY_CHARS_MAX).contains(&text.len()))
}

/// The bytes of the first part that is called `name`.
#[must_use]
pub fn field<'b>(body: &'b [u8], boundary: &str, name: &str) -> Option<&'b [u8]> {
    let delimiter = format!("\r\n--{boundary}");
    let opening = format!("--{boundary}");
    // The first delimiter may stand at the very beginning, without its line break.
    let mut rest = match body.strip_prefix(opening.as_bytes()) {
        Some(rest) => rest,
        None => split(body, delimiter.as_bytes())?.1,
    };
    loop {
        // `--` ends the last part; anything else up to the line break is padding.
        if rest.starts_with(b"--") {
            return None;
        }
        let (_, part) = split(rest, b"\r\n")?;
        let (part, next) = split(part, delimiter.as_bytes())?;
        // A part without headers begins with the empty line.
        let (headers, content) = match part.strip_prefix(b"\r\n".as_slice()) {
            Some(content) => ([].as_slice(), content),
            None => split(part, b"\r\n\r\n")?,
        };
        if is_called(headers, name) {
            return Some(content);
        }
        rest = next;
    }
}

fn is_called(headers: &[u8], name: &str) -> bool {
    String::from_utf8_lossy(headers).split("\r\n").any(|line| {
        line.split_once(':').is_some_and(|(header, value)| {
            header.trim().eq_ignore_ascii_case("content-disposition")
                && value.split_once(';').is_some_and(|(kind, parameters)| {
                    kind.trim().eq_ignore_ascii_case("form-data")
                        && parameter(parameters, "name").is_some_and(|found| found == name)
                })
        })
    })
}

/// The value of a parameter, without its quotes.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    parameters.split(';').find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_string())
    })
}

/// What stands before and after the first `mark`.
fn split<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = b"preamble\r\n--bnd\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--bnd \r\n\
        content-type: text/csv\r\ncontent-disposition: form-data; filename=\"a.csv\"; name=file\r\n\r\nname,url\r\na,b\r\n\r\n--bnd--\r\n";

    #[test]
    fn a_field_is_found_among_others() {
        assert_eq!(field(BODY, "bnd", "x"), Some(b"1".as_slice()));
        assert_eq!(field(BODY, "bnd", "file"), Some(b"name,url\r\na,b\r\n".as_slice()));
        assert_eq!(field(BODY, "bnd", "other"), None);
        assert_eq!(field(BODY, "other", "x"), None);
        assert_eq!(
            field(b"--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n\r\n--b--", "b", "f"),
            Some(b"".as_slice())
        );
        assert_eq!(field(b"--b\r\n\r\nno name\r\n--b--", "b", "f"), None);
        assert_eq!(field(b"--b--", "b", "f"), None);
    }

    #[test]
    fn boundaries_are_read_with_and_without_quotes() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=bnd", Some("bnd")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=bnd", None),
            ("application/json", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
        /// What was put in comes out, whatever it is, unless it holds the delimiter itself.
        #[test]
        fn content_comes_out_as_it_went_in(content in proptest::collection::vec(any::<u8>(), 0..200), noise in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(field(&noise, "b", "f").is_none_or(|found| found.len() <= noise.len()));
            prop_assume!(!content.windows(13).any(|window| window == b"\r\n--boundary1"));
            let mut body = b"--boundary1\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n".to_vec();
            body.extend(&content);
            body.extend(b"\r\n--boundary1--\r\n");
            prop_assert_eq!(field(&body, "boundary1", "f"), Some(content.as_slice()));
        }
    }
}
