//! OAuth 2 client credentials (RFC 6749 section 4.4) for endpoints that want them: settings as the API takes them, the
//! request for a token, by shared secret or signed assertion (RFC 7523), and what its answer says. No I/O is done here.

mod answer;
mod assertion;
mod key;
mod request;
mod settings;

pub use answer::{AnswerError, Token};
pub use request::{RequestError, TokenRequest};
pub use settings::{Settings, SettingsError};
