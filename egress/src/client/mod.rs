//! The way through egress, for those who send: one of several proxies that works, in TLS or not. A proxy that fails is passed
//! over at once, asked for its health, and used again when it answers.

mod error;
mod exit;
mod exits;
mod health;
mod hop;
mod metrics;
mod once;
mod settings;
mod tls;

pub use self::{
    error::{ClientError, ExitError},
    exit::{Exit, Told, Tunnel},
    exits::Exits,
    hop::Hop,
    once::OnceError,
    settings::ClientSettings,
    tls::TlsIdentity,
};

/// The header by which a client says for which project it asks.
pub const PROJECT: &str = "x-egress-project";
/// The header that carries the code of a refusal.
pub const ERROR: &str = "x-egress-error";
/// The path at which the proxy itself says that it takes requests.
pub const READY_PATH: &str = "/readyz";
