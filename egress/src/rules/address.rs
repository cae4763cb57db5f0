//! The built-in judgement of an address, from IANA's special-purpose registries (rows of 2025-10-09) and the metadata
//! services that stand in none. IPv6 is allowed only inside global unicast; what embeds IPv4 is refused, not unwrapped,
//! except mapped addresses, which the caller makes canonical first.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{Code, Denial};

/// Network, prefix length (never 0), why.
type V4Range = (Ipv4Addr, u32, Code);
type V6Range = (Ipv6Addr, u32, Code);

/// The more exact row comes first, because it has the better reason.
const V4: [V4Range; 21] = [
    (Ipv4Addr::new(169, 254, 169, 254), 32, Code::Metadata),
    (Ipv4Addr::new(169, 254, 170, 2), 32, Code::Metadata),
    (Ipv4Addr::new(169, 254, 170, 23), 32, Code::Metadata),
    (Ipv4Addr::new(168, 63, 129, 16), 32, Code::Metadata),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Code::Metadata),
    (Ipv4Addr::new(192, 0, 0, 192), 32, Code::Metadata),
    (Ipv4Addr::new(0, 0, 0, 0), 8, Code::Reserved),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Code::PrivateAddress),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Code::PrivateAddress),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Code::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Code::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Code::PrivateAddress),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Code::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Code::Reserved),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Code::Reserved),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Code::PrivateAddress),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Code::Reserved),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Code::Reserved),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Code::Reserved),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Code::Reserved),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Code::Reserved),
];

const V6: [V6Range; 15] = [
    (Ipv6Addr::UNSPECIFIED, 128, Code::Reserved),
    (Ipv6Addr::LOCALHOST, 128, Code::Loopback),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23), 128, Code::Metadata),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, Code::Metadata),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128, Code::Metadata),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Code::LinkLocal),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Code::PrivateAddress),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 80, Code::EmbeddedV4),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96, Code::EmbeddedV4),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 32, Code::EmbeddedV4),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Code::EmbeddedV4),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Code::EmbeddedV4),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Code::Reserved),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Code::Reserved),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Code::Reserved),
];

/// Everything outside is unassigned or special, and refused without a row of its own.
const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

/// Judges a canonical address.
pub(super) fn judge(address: IpAddr) -> Result<(), Denial> {
    match address {
        IpAddr::V4(address) => {
            let found = V4.iter().find(|(network, length, _)| is_in_v4(address, *network, *length));
            found.map_or(Ok(()), |(network, length, code)| refuse(*code, *network, *length))
        }
        IpAddr::V6(address) => {
            let found = V6.iter().find(|(network, length, _)| is_in_v6(address, *network, *length));
            match found {
                Some((network, length, code)) => refuse(*code, *network, *length),
                None if is_in_v6(address, GLOBAL_UNICAST, 3) => Ok(()),
                None => Err(Denial::by(Code::Reserved, "built-in: outside 2000::/3")),
            }
        }
    }
}

fn refuse(code: Code, network: impl Display, length: u32) -> Result<(), Denial> {
    Err(Denial::by(code, format_args!("built-in {network}/{length}")))
}

fn is_in_v4(address: Ipv4Addr, network: Ipv4Addr, length: u32) -> bool {
    (address.to_bits() ^ network.to_bits()) >> (u32::BITS - length) == 0
}

fn is_in_v6(address: Ipv6Addr, network: Ipv6Addr, length: u32) -> bool {
    (address.to_bits() ^ network.to_bits()) >> (u128::BITS - length) == 0
}
