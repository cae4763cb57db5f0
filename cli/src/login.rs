//! `posthouse login` and `logout`: a URL and a key that need not be given each time.

use std::{io::IsTerminal as _, process::ExitCode};

use anyhow::Context as _;
use rustix::termios::{self, LocalModes, OptionalActions};
use secrecy::SecretString;
use serde_json::json;
use url::{Host, Url};

use crate::{
    api::{Access, profile::ProfileArgs, text},
    output::{answer, note, plain},
};

const LOGIN_EXAMPLES: &str = "Examples:
  posthouse login --url https://hooks.example.com
  printf %s \"$KEY\" | posthouse login --url https://hooks.example.com --profile staging";
const LOGOUT_EXAMPLES: &str = "Examples:
  posthouse logout
  posthouse logout --profile staging";

/// Exit code of a process that Ctrl-C ends.
const INTERRUPTED: i32 = 130;

/// Stores the API's URL and a key in a file that only you can read.
///
/// The key is read from the terminal, or from standard input to its end, and tried first.
#[derive(Debug, clap::Args)]
#[command(after_help = LOGIN_EXAMPLES)]
pub struct Login {
    #[command(flatten)]
    access: Access,
}

/// Removes a stored key, and does not revoke it.
#[derive(Debug, clap::Args)]
#[command(after_help = LOGOUT_EXAMPLES)]
pub struct Logout {
    #[command(flatten)]
    profile: ProfileArgs,
}

impl Login {
    /// Runs the command.
    pub async fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let profile = self.access.new_profile(read_key().await?)?;
        let client = crate::api::Client::new(profile.url.clone(), profile.project.clone(), profile.api_key.clone())?;
        client.check_project().await?;
        let project = client.get(&[], Vec::new()).await?;
        let url = profile.url.clone();
        if is_open(&url) {
            note("Note: the URL is http, so everybody on the way can read the key.");
        }
        let path = self.access.profile().store(profile)?;
        let (id, name) = (text(&project, "/uid"), plain(text(&project, "/name")));
        let json = json!({
            "profile": self.access.profile().name(), "url": url, "project_id": id, "file": path.display().to_string(),
        });
        answer(is_json, &json, &format!("{url} opens the project {name} ({id}); stored in {}", path.display()));
        Ok(ExitCode::SUCCESS)
    }
}

impl Logout {
    /// Runs the command.
    pub fn run(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(self.profile.remove()?, "there is no profile {}", self.profile.name());
        let name = self.profile.name();
        answer(is_json, &json!({"removed": name}), &format!("the profile {name} is removed; its key is still valid"));
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a key that is sent there can be read on its way.
fn is_open(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_here
}

async fn read_key() -> anyhow::Result<SecretString> {
    let text = if std::io::stdin().is_terminal() {
        let silence = Silence::begin();
        note("API key (it is not shown):");
        let typed = tokio::task::spawn_blocking(|| {
            let mut text = String::new();
            std::io::stdin().read_line(&mut text).map(|_| text)
        });
        tokio::select! {
            typed = typed => typed?.context("the terminal cannot be read")?,
            _ = tokio::signal::ctrl_c() => {
                // Nobody can call the reading thread off, and the terminal must show again what is typed.
                drop(silence);
                std::process::exit(INTERRUPTED);
            }
        }
    } else {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
    };
    let key = text.trim();
    anyhow::ensure!(!key.is_empty(), "no key was given on standard input");
    Ok(key.to_string().into())
}

/// A terminal that does not show what is typed, until the end of this.
struct Silence(Option<termios::Termios>);

impl Silence {
    fn begin() -> Self {
        let before = termios::tcgetattr(std::io::stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            quiet.local_modes.insert(LocalModes::ECHONL);
            // A terminal that cannot be told shows the key, which its owner sees.
            termios::tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet).ok();
        }
        Self(before)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            termios::tcsetattr(std::io::stdin(), OptionalActions::Now, before).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_open_where_it_leaves_this_machine_without_tls() {
        let is_open = |url: &str| is_open(&url.parse().unwrap());
        assert!(is_open("http://hooks.example.com") && is_open("http://10.0.0.1:5005"));
        for url in ["https://hooks.example.com", "http://localhost:5005", "http://127.0.0.1", "http://[::1]:5005"] {
            assert!(!is_open(url), "{url}");
        }
    }
}
