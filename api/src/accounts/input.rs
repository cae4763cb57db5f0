//! What people type about themselves, checked: names, addresses, passwords.

use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    body::{bounded, no_nul, required},
    error::ApiError,
};

const EMAIL_BYTES_MAX: usize = 254;
const PASSWORD_CHARS_MIN: usize = 8;
const PASSWORD_BYTES_MAX: usize = 1_024;
const NAME_CHARS_MAX: usize = 100;

/// A first or last name.
///
/// # Errors
/// 400 naming the field.
pub fn name(field: &'static str, text: Option<String>, complaint: &'static str) -> Result<String, ApiError> {
    let text = required(field, text, complaint)?;
    if text.chars().count() > NAME_CHARS_MAX || text.contains(char::is_control) {
        return Err(ApiError::invalid(format!("{field}: at most {NAME_CHARS_MAX} characters of text are accepted")));
    }
    Ok(text)
}

/// An address. Only ASCII: two addresses that look alike, or that one system takes for the other, would be one person's way
/// into another's account.
///
/// # Errors
/// 400 naming the field.
pub fn email(field: &'static str, text: Option<String>) -> Result<String, ApiError> {
    let text = required(field, text, "please provide a valid email")?;
    if is_address(&text) { Ok(text) } else { Err(ApiError::invalid(format!("{field}:please provide a valid email"))) }
}

fn is_address(text: &str) -> bool {
    let is_sound = |c: char| c.is_ascii_graphic() && !"()<>[]:;,\\\"".contains(c);
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let labels_are_sound = host.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    });
    let local_is_sound = !local.is_empty()
        && !local.contains('@')
        && !local.split('.').any(str::is_empty)
        && local.chars().all(is_sound);
    text.len() <= EMAIL_BYTES_MAX && local_is_sound && labels_are_sound
}

/// A password that is being chosen.
///
/// # Errors
/// 400 naming the field.
pub fn new_password(field: &'static str, given: Option<SecretString>) -> Result<SecretString, ApiError> {
    let given = given.ok_or_else(|| ApiError::invalid(format!("{field}:please provide a password")))?;
    let text = given.expose_secret();
    no_nul(field, text)?;
    if text.chars().count() < PASSWORD_CHARS_MIN || text.len() > PASSWORD_BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "{field}: at least {PASSWORD_CHARS_MIN} characters, and at most {PASSWORD_BYTES_MAX} bytes, are expected"
        )));
    }
    Ok(given)
}

/// A password that is to be checked: none that could have been chosen is longer.
///
/// # Errors
/// 400 naming the field.
pub fn password(field: &'static str, given: Option<SecretString>) -> Result<SecretString, ApiError> {
    let given = given
        .filter(|given| !given.expose_secret().is_empty())
        .ok_or_else(|| ApiError::invalid(format!("{field}:please provide a password")))?;
    if given.expose_secret().len() > PASSWORD_BYTES_MAX {
        return Err(ApiError::invalid(format!("{field}: at most {PASSWORD_BYTES_MAX} bytes are accepted")));
    }
    Ok(given)
}

/// The name of an organisation or a key.
///
/// # Errors
/// 400 naming the field.
pub fn title(field: &'static str, text: Option<String>, complaint: &'static str) -> Result<String, ApiError> {
    let text = required(field, text, complaint)?;
    bounded(field, &text)?;
    if text.contains(char::is_control) {
        return Err(ApiError::invalid(format!("{field}: a name has no control characters")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for text in ["a@example.com", "a.b+c@mail.example.com", "o'neil@example.com", "admin@localhost", "x_y@a-b.de"] {
            assert!(is_address(text), "{text}");
        }
        for text in [
            "",
            "a",
            "@example.com",
            "a@",
            "a@b@c.com",
            "a b@example.com",
            "a@exa mple.com",
            "a@example.com\r\nBcc: b@example.com",
            "a@.com",
            "a@-b.com",
            ".a@example.com",
            "a..b@example.com",
            "<a@example.com>",
            "a,b@example.com",
            "ä@example.com",
            "a@exämple.com",
            &format!("{}@example.com", "x".repeat(250)),
        ] {
            assert!(!is_address(text), "{text}");
        }
    }

    #[test]
    fn passwords_have_bounds() {
        let chosen = |text: &str| new_password("password", Some(text.into())).is_ok();
        assert!(chosen("12345678") && chosen("ääääääää") && chosen(&"x".repeat(1_024)));
        assert!(!chosen("1234567") && !chosen(&"x".repeat(1_025)) && !chosen("1234567\0"));
        assert!(new_password("password", None).is_err());
        assert!(password("password", Some("1".into())).is_ok() && password("password", Some("".into())).is_err());
        assert!(password("password", Some("x".repeat(1_025).into())).is_err());
    }
}
