//! Hosts of a run's own: network namespaces of this machine, on switches whose cables can be pulled. All of it lies in a
//! namespace that the program enters by running itself again, so that nothing in it is anybody else's. It takes root, and the
//! commands `unshare` (util-linux) and `ip` (iproute2).

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::role::RoleSpec;

/// Set where the program runs in a network of its own.
const INSIDE: &str = "POSTHOUSE_E2E_NETWORK";
/// A network in which nothing is anybody else's, and a place for the names of further ones.
const NETWORK: &str = r#"mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && exec "$@""#;

/// Whether this program runs in a network of its own.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The command that runs a program in a network of its own.
#[must_use]
pub fn command(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", NETWORK, "sh"]).arg(program).env(INSIDE, "1");
    command
}

/// Why this machine lets us make none, if it does not.
pub async fn refusal() -> Option<String> {
    // All that is needed of the machine, tried once.
    let tried = command(Path::new("sh"))
        .args([
            "-c",
            "ip netns add tried && ip link add tried type bridge && ip link add cable type veth peer name plug",
        ])
        .output()
        .await;
    let said = match tried {
        Ok(tried) if tried.status.success() => return None,
        Ok(tried) => String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!("this machine lets us make no network namespaces (that takes root, unshare and ip): {said}"))
}

async fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output().await.context("run ip")?;
    if !output.status.success() {
        bail!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// A switch with a network of its own, `10.NUMBER.0.0/24`, in which this program is at [`Switch::address`].
#[derive(Debug)]
pub struct Switch {
    name: &'static str,
    number: u8,
}

impl Switch {
    /// A new one of this name, which no other has.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn new(name: &'static str, number: u8) -> Result<Self> {
        let switch = Self { name, number };
        ip(&format!("link add {name} address {} type bridge", switch.link_address())).await?;
        ip(&format!("address add {}/24 dev {name}", switch.address())).await?;
        ip(&format!("link set {name} up")).await?;
        Ok(switch)
    }

    /// Where this program is reached in it.
    #[must_use]
    pub const fn address(&self) -> Ipv4Addr {
        self.address_of(1)
    }

    /// The address of a host in it.
    #[must_use]
    pub const fn address_of(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, 0, host)
    }

    fn link_address(&self) -> String {
        format!("02:00:00:00:{:02x}:01", self.number)
    }
}

/// A host.
#[derive(Debug)]
pub struct Host {
    name: String,
}

/// What joins a host and a switch.
#[derive(Debug)]
pub struct Cable {
    name: String,
    switch: &'static str,
}

impl Host {
    /// A new one of this name, which no other has.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn new(name: &str) -> Result<Self> {
        ip(&format!("netns add {name}")).await?;
        ip(&format!("-netns {name} link set lo up")).await?;
        Ok(Self { name: name.into() })
    }

    /// Joins the switch, as the host of this number in its network, 2 to 254. It always knows this program's link address, so
    /// that nothing tells it of a pulled cable: what it sends is lost.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn join(&self, switch: &Switch, number: u8) -> Result<Cable> {
        let (host, name) = (&self.name, switch.name);
        let cable = Cable { name: format!("{name}{number}"), switch: name };
        ip(&format!("link add {} type veth peer name {name} netns {host}", cable.name)).await?;
        ip(&format!("link set {} up", cable.name)).await?;
        cable.plug().await?;
        self.address(switch, number).await?;
        ip(&format!("-netns {host} link set {name} up")).await?;
        let (address, link) = (switch.address(), switch.link_address());
        ip(&format!("-netns {host} neighbour replace {address} lladdr {link} dev {name} nud permanent")).await?;
        Ok(cable)
    }

    /// Gives it a further address in the switch's network.
    ///
    /// # Errors
    /// The system refuses, or it has not joined the switch.
    pub async fn address(&self, switch: &Switch, number: u8) -> Result<IpAddr> {
        let address = switch.address_of(number);
        ip(&format!("-netns {} address add {address}/24 dev {}", self.name, switch.name)).await?;
        Ok(address.into())
    }

    /// The role, run on this host.
    #[must_use]
    pub fn runs(&self, spec: RoleSpec) -> RoleSpec {
        let words = ["netns", "exec", &self.name].map(String::from);
        let arguments = words.into_iter().chain([spec.program.display().to_string()]).chain(spec.arguments).collect();
        RoleSpec { program: "ip".into(), arguments, ..spec }
    }
}

impl Cable {
    /// Pulls it out of the switch: nothing passes any more, and neither end is told.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn pull(&self) -> Result<()> {
        ip(&format!("link set {} nomaster", self.name)).await
    }

    /// Plugs it in again.
    ///
    /// # Errors
    /// The system refuses.
    pub async fn plug(&self) -> Result<()> {
        ip(&format!("link set {} master {}", self.name, self.switch)).await
    }
}
