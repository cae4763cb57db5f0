//! Installs missing services from Debian's or Ubuntu's packages, and says so first. Only what is missing is installed,
//! and no service that the packages bring is started or enabled: ours are private instances.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::find::{Program, find, require};

/// Run as root with the packages as arguments. `policy-rc.d` is Debian's way to keep packages from starting their
/// services; one that is already there is left alone. Services already present before are not touched.
const INSTALL: &str = r#"
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@"
if [ -d /run/systemd/system ]; then
    systemctl --quiet disable "$@" || echo "Note: could not disable the system's own services of: $*"
fi
"#;

/// Looks for every program and installs the missing ones. `say` hears what is done and why.
///
/// # Errors
/// Something is missing and cannot be installed here; the text names the packages.
pub async fn install_missing(programs: &[Program], say: &mut (dyn FnMut(String) + Send)) -> Result<()> {
    let missing: Vec<Program> = programs.iter().copied().filter(|program| find(*program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let titles: Vec<_> = missing.iter().map(|p| format!("{} {} or newer", p.title, p.major_min)).collect();
    let packages: Vec<_> = missing.iter().map(|p| p.package).collect();
    let (titles, packages_text) = (titles.join(", "), packages.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "missing: {titles}. Install them with this system's package manager (on Debian and Ubuntu: {packages_text}) and run this again"
        );
    }
    let root = rustix::process::geteuid().is_root();
    if !root && !may_sudo().await {
        bail!("missing: {titles}. Run `sudo apt-get install {packages_text}` and then this again");
    }
    say(format!(
        "Installing {packages_text} with apt-get, because {titles} was not found. Their system services are not started."
    ));
    let (program, arguments): (&str, &[&str]) = if root { ("sh", &[]) } else { ("sudo", &["sh"]) };
    let status = Command::new(program)
        .args(arguments)
        .args(["-c", INSTALL, "install"])
        .args(&packages)
        .status()
        .await
        .context("run apt-get")?;
    if !status.success() {
        bail!("apt-get could not install {packages_text} ({status}); install them by hand and run this again");
    }
    missing.into_iter().try_for_each(|program| require(program).map(|_| ()))
}

/// Whether `sudo` works, asking for the password when there is somebody to ask.
async fn may_sudo() -> bool {
    let status = Command::new("sudo").arg("-v").status().await;
    status.is_ok_and(|status| status.success())
}
