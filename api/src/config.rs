//! Settings of the API, read once at start.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::Parser;
use posthouse_egress::{Rules, client::ClientSettings};
use posthouse_service::settings::{DatabaseSettings, ProcessSettings, RedisSettings, duration};
use salvo::http::HeaderName;
use secrecy::SecretString;
use url::Url;

use crate::{
    app::{AccountSettings, ApiSettings},
    limits::LimitSettings,
};

const EXAMPLES: &str = "Examples:
  posthouse-api --listen 0.0.0.0:5005
  POSTHOUSE_DATABASE_URL=postgres://… POSTHOUSE_REDIS_URL=redis://… posthouse-api
The API is described at /docs and /openapi.json.";

/// Serves the REST API: accepts events, and shows what became of them.
#[derive(Debug, Parser)]
#[command(name = "posthouse-api", version, after_help = EXAMPLES)]
pub struct Config {
    /// Settings of every process.
    #[command(flatten)]
    pub process: ProcessSettings,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Redis.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// Address of the REST API, /healthz, /readyz and /docs.
    #[arg(long, env = "POSTHOUSE_API_LISTEN", default_value = "127.0.0.1:5005")]
    pub listen: SocketAddr,
    /// Address of /healthz, /readyz and /metrics: apart from the REST API, which is for the world.
    #[arg(long, env = "POSTHOUSE_API_PROBE_LISTEN", default_value = "127.0.0.1:5008")]
    pub probe_listen: SocketAddr,
    /// Address of the job board. Instance administrators come to it by the dashboard, and programs with a personal key as
    /// password.
    #[arg(long, env = "POSTHOUSE_BOARD_LISTEN", default_value = "127.0.0.1:5010")]
    pub board_listen: SocketAddr,
    /// Where instance administrators reach the job board, such as https://jobs.example.com: where the dashboard leads them.
    /// Without it, the host at which the dashboard is read, with the board's own port.
    #[arg(long, env = "POSTHOUSE_BOARD_URL", value_name = "URL", value_parser = public_url)]
    pub board_url: Option<Url>,
    /// How long it goes on after SIGTERM as one that is not ready and ends each connection with its next answer, before
    /// listeners and idle connections close: longer than what balances the load takes to notice. It is part of the drain
    /// timeout, and at most half of it.
    #[arg(long, env = "POSTHOUSE_API_DRAIN_DELAY", default_value = "5s", value_parser = duration)]
    pub drain_delay: Duration,
    /// Egress, for the few requests that the API makes itself.
    #[command(flatten)]
    pub egress: ClientSettings,
    /// CIDR, or CIDR:PORT, to which an API without egress may connect, and which endpoints may name with --judge-endpoints,
    /// although it is refused by default. Repeatable, or separated by commas.
    #[arg(long, env = "POSTHOUSE_API_ALLOW", value_delimiter = ',')]
    pub allow: Vec<posthouse_egress::AddressRule>,
    /// Refuses endpoints whose URL names an address or a host of an internal network, when they are saved. Without it that is
    /// seen at their first delivery, which egress refuses.
    #[arg(long, env = "POSTHOUSE_API_JUDGE_ENDPOINTS", default_value = "false", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub judge_endpoints: bool,
    /// Most bytes of a request's body.
    #[arg(long, env = "POSTHOUSE_API_BODY_BYTES_MAX", default_value_t = 1_048_576, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1_024..=104_857_600))]
    pub body_bytes_max: usize,
    /// Where providers, people and browsers reach this API, such as https://hooks.example.com: what the URLs of sources and
    /// the links in mails begin with, and where the job board sends those who are not signed in. Without it, sources show the
    /// host that the request was sent to, links in mails lead to http://127.0.0.1:5005, and the job board to its own host with
    /// the port of --listen.
    #[arg(long, env = "POSTHOUSE_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub public_url: Option<Url>,
    /// Origins whose pages may use the API from a browser, separated by commas, such as https://console.example.com; * for
    /// all. None by default.
    #[arg(long, env = "POSTHOUSE_API_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<String>,
    /// Sites that may show the customer portal in a frame, separated by commas: origins such as https://app.example.com or
    /// https://*.example.com, or self. A project may name others. None by default.
    #[arg(long, env = "POSTHOUSE_PORTAL_FRAME_ANCESTORS", value_name = "ORIGINS", value_delimiter = ',', value_parser = crate::portal_pages::framing::source)]
    pub portal_frame_ancestors: Vec<String>,
    /// How many requests are taken.
    #[command(flatten)]
    pub limits: LimitSettings,
    /// Whether anybody may make an account with an organisation of their own.
    #[arg(long, env = "POSTHOUSE_API_SIGN_UP", default_value_t = true, action = clap::ArgAction::Set)]
    pub sign_up: bool,
    /// Secret of at least 32 characters that signs access tokens. Without it the instances share one in the database.
    #[arg(long, env = "POSTHOUSE_API_ACCESS_TOKEN_SECRET", hide_env_values = true, value_parser = token_secret)]
    pub access_token_secret: Option<SecretString>,
    /// The same for refresh tokens; another one.
    #[arg(long, env = "POSTHOUSE_API_REFRESH_TOKEN_SECRET", hide_env_values = true, value_parser = token_secret)]
    pub refresh_token_secret: Option<SecretString>,
    /// Header in which a proxy in front names a client's address, such as X-Forwarded-For; its last address counts. Without it
    /// the peer's address does, by which failed sign-ins are limited.
    #[arg(long, env = "POSTHOUSE_API_CLIENT_ADDRESS_HEADER")]
    pub client_address_header: Option<HeaderName>,
}

impl Config {
    /// What of it handlers read.
    #[must_use]
    pub fn settings(&self) -> ApiSettings {
        let accounts = AccountSettings::default();
        ApiSettings {
            body_bytes_max: self.body_bytes_max,
            public_url: self.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_string()),
            cors_origins: self.cors_origins.clone(),
            portal_frame_ancestors: self.portal_frame_ancestors.clone(),
            limits: self.limits,
            endpoint_rules: self.judge_endpoints.then(|| Arc::new(Rules::with_allowed(self.allow.clone()))),
            accounts: AccountSettings {
                is_sign_up_open: self.sign_up,
                public_url: self.public_url.clone().unwrap_or(accounts.public_url),
                access_token_secret: self.access_token_secret.clone(),
                refresh_token_secret: self.refresh_token_secret.clone(),
                client_address_header: self.client_address_header.clone(),
            },
            board_url: self.board_url.clone(),
            board_listen: Some(self.board_listen),
            listen: Some(self.listen),
        }
    }
}

fn origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Ok(text.into());
    }
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let origin = url.origin();
    let is_whole = origin.is_tuple() && origin.ascii_serialization() == text.trim_end_matches('/').to_ascii_lowercase();
    if is_whole {
        Ok(origin.ascii_serialization())
    } else {
        Err("an origin such as https://console.example.com is expected".into())
    }
}

const TOKEN_SECRET_CHARS_MIN: usize = 32;

fn token_secret(text: &str) -> Result<SecretString, String> {
    if text.chars().count() < TOKEN_SECRET_CHARS_MIN {
        return Err(format!("at least {TOKEN_SECRET_CHARS_MIN} characters are expected"));
    }
    Ok(text.into())
}

fn public_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error: url::ParseError| error.to_string())?;
    let is_plain = url.host().is_some() && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && is_plain {
        Ok(url)
    } else {
        Err("an http or https address without a query is expected".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_links_can_be_made() {
        assert!(token_secret(&"x".repeat(32)).is_ok() && token_secret(&"x".repeat(31)).is_err());
        assert!(public_url("https://hooks.example.com/console").is_ok());
        for text in ["", "hooks.example.com", "ftp://example.com", "mailto:a@example.com", "https://example.com?a=1"] {
            assert!(public_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_reference_is_of_this_definition() {
        let document = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md"));
        let is_so =
            posthouse_service::settings::reference::renew(document, <Config as clap::CommandFactory>::command());
        assert!(is_so.unwrap(), "docs/settings.md was written anew: look at it and commit it");
    }
}
