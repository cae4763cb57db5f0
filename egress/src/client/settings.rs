//! How a process finds egress.

use std::{path::PathBuf, time::Duration};

use posthouse_service::settings::duration;
use url::Url;

/// How often a proxy is asked whether it takes requests.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Where egress is, and how it is talked to.
#[derive(Debug, Clone, clap::Args)]
pub struct ClientSettings {
    /// Egress proxy through which requests leave, such as http://127.0.0.1:4750, or https:// where it speaks TLS. Several,
    /// separated by commas, share the connections, and one that is away is passed over. Without one, requests leave directly,
    /// under the same rules.
    #[arg(long, env = "POSTHOUSE_EGRESS_URL", value_delimiter = ',', hide_env_values = true, value_name = "URL")]
    pub egress_url: Vec<Url>,
    /// Authorities, PEM, one of which may have signed the proxy's certificate, besides the system's.
    #[arg(long, env = "POSTHOUSE_EGRESS_CA_FILE", value_name = "FILE")]
    pub egress_ca_file: Option<PathBuf>,
    /// Certificate chain, PEM, by which this process proves its role to the proxy.
    #[arg(long, env = "POSTHOUSE_EGRESS_CLIENT_CERT", value_name = "FILE", requires = "egress_client_key")]
    pub egress_client_cert: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(long, env = "POSTHOUSE_EGRESS_CLIENT_KEY", value_name = "FILE", requires = "egress_client_cert")]
    pub egress_client_key: Option<PathBuf>,
    /// How often a proxy is asked whether it takes requests.
    #[arg(long, env = "POSTHOUSE_EGRESS_CHECK_INTERVAL", default_value = "2s", value_parser = duration)]
    pub egress_check_interval: Duration,
    /// Tells the proxy for which project each connection is, so that the project's rules and source addresses apply.
    #[arg(long, env = "POSTHOUSE_EGRESS_PROJECTS", default_value = "false", num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub egress_projects: bool,
}

impl ClientSettings {
    /// These proxies, with the defaults of everything else.
    #[must_use]
    pub const fn at(egress_url: Vec<Url>) -> Self {
        Self {
            egress_url,
            egress_ca_file: None,
            egress_client_cert: None,
            egress_client_key: None,
            egress_check_interval: CHECK_INTERVAL,
            egress_projects: false,
        }
    }
}
