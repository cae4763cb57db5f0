//! As whom, and where, the services run. PostgreSQL refuses root, so under root all of them run as `postgres` or
//! `nobody`; their data stays in the run's own folder if that account can be let in, else it lies in a temporary one.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::{Ending, guarded};

/// Lets an account pass the closed folders above its own, such as `/root`.
const PASS_FOLDERS: &str = "+dac_read_search";

/// A folder for data and the account that owns it.
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
    logs: PathBuf,
    setpriv_options: Vec<String>,
    owner: Option<(u32, u32)>,
    _temporary: Option<TempDir>,
}

impl Place {
    /// A place in `data`, with logs in `logs`.
    ///
    /// # Errors
    /// Nothing can be written there, or root finds no account to run the services as.
    pub fn new(data: &Path, logs: &Path) -> Result<Self> {
        let own =
            Self { folder: data.into(), logs: logs.into(), setpriv_options: Vec::new(), owner: None, _temporary: None };
        if !rustix::process::geteuid().is_root() {
            return Ok(own);
        }
        let (uid, gid) = service_account()?;
        let plain = vec![format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".into()];
        let mut passing = plain.clone();
        passing.extend(["--inh-caps", PASS_FOLDERS, "--ambient-caps", PASS_FOLDERS].map(Into::into));
        chown(data, Some(uid), Some(gid)).context("give the data folder to the services' account")?;
        for setpriv_options in [&plain, &passing] {
            if can_write(data, setpriv_options) {
                return Ok(Self { setpriv_options: setpriv_options.clone(), owner: Some((uid, gid)), ..own });
            }
        }
        let temporary = tempfile::Builder::new().prefix("posthouse-").tempdir().context("create a temporary folder")?;
        fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o700))
            .context("close the temporary folder")?;
        chown(temporary.path(), Some(uid), Some(gid)).context("give the temporary folder to the services' account")?;
        if !can_write(temporary.path(), &plain) {
            bail!("the account with id {uid} can write neither to {} nor to a temporary folder", data.display());
        }
        let folder = temporary.path().into();
        Ok(Self { folder, setpriv_options: plain, owner: Some((uid, gid)), _temporary: Some(temporary), ..own })
    }

    /// A folder of this name for one service.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        self.give(&folder)?;
        Ok(folder)
    }

    /// A file of the services' account that nobody else can read.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, "").with_context(|| format!("create {}", file.display()))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).context("close a file")?;
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        self.give(&file)?;
        Ok(file)
    }

    /// The log file of this name.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// A command that runs as the account, from a folder it can enter.
    pub(super) fn command(&self, program: &Path, ending: Ending) -> Command {
        let mut command = guarded(program, ending, &self.setpriv_options);
        command.current_dir(&self.folder).env("LC_ALL", "C");
        command
    }

    fn give(&self, path: &Path) -> Result<()> {
        let Some((uid, gid)) = self.owner else {
            return Ok(());
        };
        chown(path, Some(uid), Some(gid)).with_context(|| format!("give {} to the services' account", path.display()))
    }
}

fn can_write(folder: &Path, setpriv_options: &[String]) -> bool {
    let probe = folder.join("probe");
    let status = Command::new("setpriv")
        .args(setpriv_options)
        .args(["sh", "-c", ": >\"$0\" && rm \"$0\""])
        .arg(probe)
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// User and group id of `postgres`, else of `nobody`.
fn service_account() -> Result<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| ids_of(&accounts, name))
        .context("PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody` to run it as")
}

fn ids_of(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_their_whole_name() {
        let accounts = "postgres2:x:1:1::/:/bin/sh\npostgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(ids_of(accounts, "postgres"), Some((101, 104)));
        assert_eq!(ids_of(accounts, "nobody"), None);
    }
}
