//! Cookies as they travel: for this host alone, sent with no request that another site's page makes but by a link, and read
//! by no script.

use salvo::{
    http::header::{COOKIE, HeaderValue, SET_COOKIE},
    prelude::*,
};

/// Its value in this request.
pub fn read(req: &Request, name: &str) -> Option<String> {
    req.headers()
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_string())
}

/// Gives it a value for so many seconds; `None`: until the browser is closed. One that is secure travels by https alone.
pub fn set(res: &mut Response, (name, value): (&str, &str), is_secure: bool, seconds: Option<u64>) {
    let mut cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
    if is_secure {
        cookie.push_str("; Secure");
    }
    if let Some(seconds) = seconds {
        cookie.push_str(&format!("; Max-Age={seconds}"));
    }
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        res.headers_mut().append(SET_COOKIE, cookie);
    }
}
