//! Profiles: URL, key and project of an API that is called often, in one file that only its owner can read. A file that
//! others can read is refused, as a key that others have read is worth nothing.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use crate::exit::WrongUse;

const DEFAULT: &str = "default";
const OWNER_ONLY: u32 = 0o600;
const OTHERS: u32 = 0o077;

/// Which profile, in which file.
#[derive(Debug, clap::Args)]
pub struct ProfileArgs {
    /// Name of the profile that `posthouse login` stored.
    #[arg(long, help_heading = "API", env = "POSTHOUSE_PROFILE", global = true, value_name = "NAME", default_value = DEFAULT)]
    profile: String,
    /// The file of the profiles; ~/.config/posthouse/profiles.toml where it is not set.
    #[arg(long, help_heading = "API", env = "POSTHOUSE_PROFILES_FILE", global = true, value_name = "FILE")]
    profiles_file: Option<PathBuf>,
}

/// An API and the key to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Where the API is.
    pub url: Url,
    /// The key.
    #[serde(serialize_with = "exposed")]
    pub api_key: SecretString,
    /// The project, where the key does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

type Profiles = BTreeMap<String, Profile>;

/// Only the file gets to see it.
fn exposed<S: Serializer>(key: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.expose_secret())
}

impl ProfileArgs {
    /// The stored profile, or `None` where there is none and none was asked for by name.
    ///
    /// # Errors
    /// The file cannot be read, others can read it, or it does not hold the profile of this name.
    pub fn load(&self) -> anyhow::Result<Option<Profile>> {
        let path = self.path()?;
        match read(&path)?.remove(&self.profile) {
            None if self.profile != DEFAULT => {
                Err(WrongUse::because(format!("there is no profile {} in {}", self.profile, path.display())))
            }
            found => Ok(found),
        }
    }

    /// Stores the profile under its name, in place of an older one. Returns the file's path.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn store(&self, profile: Profile) -> anyhow::Result<PathBuf> {
        let path = self.path()?;
        let mut profiles = read(&path)?;
        profiles.insert(self.profile.clone(), profile);
        write(&path, &profiles)?;
        Ok(path)
    }

    /// Removes the profile of this name; whether there was one.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn remove(&self) -> anyhow::Result<bool> {
        let path = self.path()?;
        let mut profiles = read(&path)?;
        let is_there = profiles.remove(&self.profile).is_some();
        if is_there {
            write(&path, &profiles)?;
        }
        Ok(is_there)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.profile
    }

    fn path(&self) -> anyhow::Result<PathBuf> {
        match &self.profiles_file {
            Some(path) => Ok(path.clone()),
            None => {
                let home =
                    std::env::home_dir().context("there is no home directory: name a file with --profiles-file")?;
                Ok(home.join(".config/posthouse/profiles.toml"))
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Profiles> {
    let shown = path.display();
    let mode = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Profiles::new()),
        found => found.with_context(|| format!("{shown} cannot be read"))?.mode(),
    };
    anyhow::ensure!(
        mode & OTHERS == 0,
        "others can read the keys in {shown}: run `chmod 600 {shown}`, and revoke them"
    );
    let text = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    // The parser's own message shows the line, and with it the key.
    toml::from_str(&text).map_err(|error| anyhow::anyhow!("{shown} is not a file of profiles: {}", error.message()))
}

/// Whole or not at all, and never readable by others, not even for a moment.
fn write(path: &Path, profiles: &Profiles) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(failed)?;
    }
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&unfinished).with_context(failed)?;
    let written = file
        .write_all(toml::to_string(profiles)?.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        fs::remove_file(&unfinished).ok();
    }
    written.with_context(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn args(folder: &Path, name: &str) -> ProfileArgs {
        ProfileArgs { profile: name.into(), profiles_file: Some(folder.join("new/profiles.toml")) }
    }

    fn profile(key: &str) -> Profile {
        Profile { url: "https://one.example".parse().unwrap(), api_key: key.to_string().into(), project: None }
    }

    #[test]
    fn profiles_are_kept_apart_and_to_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (args(folder.path(), DEFAULT), args(folder.path(), "two"));
        assert!(one.load().unwrap().is_none());
        assert!(two.load().unwrap_err().to_string().contains("no profile two"));
        let path = one.store(profile("first")).unwrap();
        two.store(profile("second")).unwrap();
        one.store(profile("third")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, OWNER_ONLY);
        assert_eq!(one.load().unwrap().unwrap().api_key.expose_secret(), "third");
        assert_eq!(two.load().unwrap().unwrap().api_key.expose_secret(), "second");
        assert!(two.remove().unwrap() && !two.remove().unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let args = args(folder.path(), DEFAULT);
        let path = args.store(profile("secret")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = format!("{:#}", args.load().unwrap_err());
        assert!(refused.contains("chmod 600") && !refused.contains("secret"), "{refused}");
    }

    #[test]
    fn a_broken_file_is_told_without_its_keys() {
        let folder = tempfile::tempdir().unwrap();
        let args = args(folder.path(), DEFAULT);
        let path = args.store(profile("x")).unwrap();
        fs::write(&path, "[default]\napi_key = \"CO.hunter2\"\nurl = 7\n").unwrap();
        let refused = format!("{:#}", args.load().unwrap_err());
        assert!(refused.contains("not a file of profiles") && !refused.contains("hunter2"), "{refused}");
    }
}
