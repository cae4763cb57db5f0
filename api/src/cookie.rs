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

/// A cookie of the whole site.
pub struct Cookie {
    /// Without what a secure one has before it.
    pub name: &'static str,
    /// Whether browsers come by https: it then never travels without TLS.
    pub is_secure: bool,
}

impl Cookie {
    fn full_name(&self) -> String {
        let prefix = if self.is_secure { "__Host-" } else { "" };
        format!("{prefix}{}", self.name)
    }

    /// Its value in this request.
    pub fn read(&self, req: &Request) -> Option<String> {
        read(req, &self.full_name())
    }

    /// Gives it a value for so many seconds; `None`: until the browser is closed.
    pub fn set(&self, res: &mut Response, value: &str, seconds: Option<u64>) {
        let mut cookie = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", self.full_name());
        if self.is_secure {
            cookie.push_str("; Secure");
        }
        if let Some(seconds) = seconds {
            cookie.push_str(&format!("; Max-Age={seconds}"));
        }
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            res.headers_mut().append(SET_COOKIE, cookie);
        }
    }

    /// Takes it away.
    pub fn clear(&self, res: &mut Response) {
        self.set(res, "", Some(0));
    }

    /// Whether the answer gives it a value, or takes it away.
    pub fn is_set(&self, res: &Response) -> bool {
        let begin = format!("{}=", self.full_name());
        res.headers().get_all(SET_COOKIE).iter().any(|value| value.as_bytes().starts_with(begin.as_bytes()))
    }
}
