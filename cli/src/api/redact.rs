//! What the API shows to who may change it, and the tool to nobody: a terminal is seen, recorded and pasted.

use serde_json::Value;

const SECRETS: [&str; 11] = [
    "access_token",
    "auth_key",
    "client_key",
    "client_secret",
    "header_value",
    "key",
    "password",
    "secret",
    "secret_key",
    "service_account",
    "signing_key",
];
const HIDDEN: &str = "***";

/// The value with everything in it hidden that proves or signs. Empty texts stay: they say that there is nothing.
#[must_use]
pub fn without_secrets(mut value: Value) -> Value {
    hide(&mut value);
    value
}

fn hide(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field) {
                    ("secrets", Value::Array(secrets)) => secrets.iter_mut().for_each(hide_value),
                    (name, field) if SECRETS.contains(&name) => conceal(field),
                    (_, field) => hide(field),
                }
            }
        }
        _ => {}
    }
}

fn hide_value(secret: &mut Value) {
    if let Some(value) = secret.get_mut("value") {
        conceal(value);
    }
}

fn conceal(field: &mut Value) {
    let is_nothing = field.is_null() || field.as_str().is_some_and(str::is_empty);
    if !is_nothing {
        *field = HIDDEN.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_signs_or_proves_is_hidden_wherever_it_stands() {
        let shown = without_secrets(json!({
            "uid": "1",
            "secrets": [{"uid": "s", "value": "whsec_hunter2", "public_key": "whpk_1"}],
            "authentication": {"basic_auth": {"username": "me", "password": "hunter2"}, "api_key": {"header_value": "hunter2"}},
            "verifier": {"hmac": {"secret": "hunter2", "hash": "SHA256"}, "basic_auth": {"password": ""}},
            "config": {"meta_event": {"secret": "hunter2"}},
            "oauth2": {"signing_key": {"d": "hunter2"}},
            "mtls_client_cert": null,
        }));
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
        assert_eq!(shown["secrets"][0], json!({"uid": "s", "value": "***", "public_key": "whpk_1"}));
        assert_eq!(shown["verifier"]["basic_auth"]["password"], "");
        assert_eq!(shown["authentication"]["basic_auth"]["username"], "me");
    }
}
