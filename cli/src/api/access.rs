//! Which API is called, and with which key: flags over environment over a profile. A profile's key goes to the profile's
//! own URL and nowhere else.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    client::Client,
    profile::{Profile, ProfileArgs},
};
use crate::exit::WrongUse;

/// How the API is reached.
#[derive(Debug, clap::Args)]
pub struct Access {
    /// Where the API is, such as https://hooks.example.com.
    #[arg(long, help_heading = "API", env = "POSTHOUSE_URL", global = true, value_parser = base_url)]
    url: Option<Url>,
    /// Project key or personal key. Others on this machine can see flags: prefer the variable, or `posthouse login`.
    #[arg(
        long,
        help_heading = "API",
        env = "POSTHOUSE_API_KEY",
        hide_env_values = true,
        global = true,
        value_name = "KEY"
    )]
    api_key: Option<SecretString>,
    /// Id of the project. A project key knows its own; a personal key needs it.
    #[arg(long, help_heading = "API", env = "POSTHOUSE_PROJECT", global = true, value_name = "ID")]
    project: Option<String>,
    #[command(flatten)]
    profile: ProfileArgs,
}

/// A URL that paths can be added to, without anything that has to stay secret.
///
/// # Errors
/// In words.
pub fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err("a URL such as https://hooks.example.com is expected".into());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("the URL has a user or a query; the key goes into --api-key".into());
    }
    Ok(url)
}

impl Access {
    /// A client of the API, for the project that the key or the caller names.
    ///
    /// # Errors
    /// URL or key are missing, the profile cannot be read, or the key is of another project.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        self.connect_to(None).await
    }

    /// A client for what belongs to no project.
    ///
    /// # Errors
    /// URL or key are missing, or the profile cannot be read.
    pub fn connect_above(&self) -> anyhow::Result<Client> {
        let Profile { url, api_key, .. } = self.resolve(self.profile.load()?)?;
        Client::new(url, None, api_key)
    }

    /// The same for this project, if one is given.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_to(&self, id: Option<&str>) -> anyhow::Result<Client> {
        let Profile { url, api_key, project } = self.resolve(self.profile.load()?)?;
        let client = Client::new(url, id.map(str::to_string).or(project), api_key)?;
        client.check_project().await?;
        Ok(client)
    }

    /// Where the API is, if anything says so.
    ///
    /// # Errors
    /// The profile cannot be read.
    pub fn known_url(&self) -> anyhow::Result<Option<Url>> {
        match &self.url {
            Some(url) => Ok(Some(url.clone())),
            None => Ok(self.profile.load()?.map(|profile| profile.url)),
        }
    }

    /// Whether there is a key to go with the URL.
    ///
    /// # Errors
    /// The profile cannot be read.
    pub fn has_key(&self) -> anyhow::Result<bool> {
        Ok(self.resolve(self.profile.load()?).is_ok())
    }

    /// The profile's place, to write to.
    pub const fn profile(&self) -> &ProfileArgs {
        &self.profile
    }

    /// What `posthouse login` was given, with the key that it was told.
    ///
    /// # Errors
    /// The URL is missing.
    pub fn new_profile(&self, api_key: SecretString) -> anyhow::Result<Profile> {
        let nowhere = || WrongUse::because("where is the API? Give --url, or set POSTHOUSE_URL");
        Ok(Profile { url: self.url.clone().ok_or_else(nowhere)?, api_key, project: self.project.clone() })
    }

    fn resolve(&self, stored: Option<Profile>) -> anyhow::Result<Profile> {
        let missing = |what: &str, flag: &str, variable: &str| {
            WrongUse::because(format!("no {what}: give {flag}, set {variable}, or run `posthouse login` once"))
        };
        let no_url = || missing("URL of the API", "--url", "POSTHOUSE_URL");
        let no_key = || missing("API key", "--api-key", "POSTHOUSE_API_KEY");
        let url = self.url.clone().or_else(|| stored.as_ref().map(|stored| stored.url.clone())).ok_or_else(no_url)?;
        // What was stored for one API is never sent to another one.
        let stored = stored.filter(|stored| stored.url == url);
        let own_key = self.api_key.as_ref().filter(|key| !key.expose_secret().is_empty()).cloned();
        let is_own = own_key.is_some();
        let api_key = own_key.or_else(|| stored.as_ref().map(|stored| stored.api_key.clone())).ok_or_else(no_key)?;
        // The profile's project belongs to the profile's key.
        let stored_project = stored.filter(|_| !is_own).and_then(|stored| stored.project);
        Ok(Profile { url, api_key, project: self.project.clone().filter(|id| !id.is_empty()).or(stored_project) })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        access: Access,
    }

    fn resolved(args: &[&str], stored: Option<Profile>) -> anyhow::Result<Profile> {
        Command::try_parse_from(std::iter::once(&"posthouse").chain(args)).unwrap().access.resolve(stored)
    }

    fn stored() -> Profile {
        Profile {
            url: "https://one.example".parse().unwrap(),
            api_key: "CO.stored".to_string().into(),
            project: Some("p1".into()),
        }
    }

    #[test]
    fn a_profile_s_key_goes_to_its_own_url_only() {
        let own = resolved(&[], Some(stored())).unwrap();
        assert_eq!((own.api_key.expose_secret(), own.project.as_deref()), ("CO.stored", Some("p1")));
        let same = resolved(&["--url", "https://one.example/"], Some(stored())).unwrap();
        assert_eq!(same.api_key.expose_secret(), "CO.stored");
        let other = resolved(&["--url", "https://two.example"], Some(stored())).unwrap_err();
        assert!(other.to_string().contains("no API key"), "{other}");
        let given = resolved(&["--api-key", "CO.other"], Some(stored())).unwrap();
        assert_eq!(
            (given.api_key.expose_secret(), given.project),
            ("CO.other", None),
            "another key's project is unknown"
        );
        assert!(resolved(&[], None).unwrap_err().to_string().contains("no URL"));
    }

    #[test]
    fn urls_with_secrets_or_without_a_host_are_refused() {
        assert!(base_url("https://hooks.example.com/prefix").is_ok());
        for text in ["hooks.example.com", "ftp://a", "mailto:a@b", "https://user:pass@a", "https://a/?key=1"] {
            assert!(base_url(text).is_err(), "{text}");
        }
    }
}
