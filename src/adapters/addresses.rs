//! Which addresses may be spoken to: those of the public internet, and this machine's own where that is allowed.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

/// Networks that are not the public internet, or that lead to another address than the one written.
///
/// # Source
/// IANA's special-purpose address registries (RFC 6890 and later).
const REFUSED: [(&str, &str); 32] = [
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared (CGNAT)"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "IPv4-compatible"),
    ("::ffff:0:0:0/96", "IPv4-translated"),
    ("64:ff9b::/96", "NAT64"),
    ("64:ff9b:1::/48", "NAT64"),
    ("100::/64", "discard-only"),
    ("2001::/32", "Teredo"),
    ("2001:10::/28", "ORCHID"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "unique-local"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
];

static NETWORKS: LazyLock<Vec<(IpNet, &'static str)>> =
    LazyLock::new(|| REFUSED.iter().filter_map(|(network, class)| Some((network.parse().ok()?, *class))).collect());

/// An address that must not be spoken to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {class}, which is not spoken to")]
pub struct RefusedAddress {
    /// The address.
    pub address: IpAddr,
    /// What kind it is of.
    pub class: &'static str,
}

/// Whether an address may be connected to.
///
/// # Errors
/// [`RefusedAddress`] for whatever is not the public internet; loopback passes where it is allowed.
pub fn check(address: IpAddr, allow_loopback: bool) -> Result<(), RefusedAddress> {
    // An IPv4 address within an IPv6 one is where the connection goes.
    let real = address.to_canonical();
    if allow_loopback && real.is_loopback() {
        return Ok(());
    }
    let refused = NETWORKS.iter().find(|(network, _)| network.contains(&real)).map(|(_, class)| *class);
    match refused.or_else(|| (real.is_ipv6() && !is_global_unicast(real)).then_some("outside of the public internet")) {
        Some(class) => Err(RefusedAddress { address, class }),
        None => Ok(()),
    }
}

/// `2000::/3` is all that has been given to the public.
fn is_global_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V6(address) => address.segments()[0] & 0xe000 == 0x2000,
        IpAddr::V4(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, allow_loopback: bool) -> Result<(), &'static str> {
        check(text.parse().expect(text), allow_loopback).map_err(|refused| refused.class)
    }

    #[test]
    fn every_network_is_well_formed() {
        assert_eq!(NETWORKS.len(), REFUSED.len());
    }

    #[test]
    fn each_class_is_refused_at_both_ends() {
        for (class, addresses) in [
            ("unspecified", &["0.0.0.0", "0.255.255.255", "::", "::ffff:0.0.0.0"][..]),
            ("loopback", &["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"]),
            ("private", &["10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "::ffff:10.0.0.1"]),
            ("shared (CGNAT)", &["100.64.0.0", "100.127.255.255"]),
            ("link-local", &["169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254"]),
            ("unique-local", &["fc00::1", "fdff::1"]),
            ("multicast", &["224.0.0.1", "239.255.255.255", "ff02::1", "::ffff:224.0.0.1"]),
            ("reserved", &["240.0.0.1", "255.255.255.255", "192.0.0.1"]),
            ("NAT64", &["64:ff9b::7f00:1", "64:ff9b:1::a00:1"]),
            ("6to4", &["2002:7f00:1::1"]),
            ("Teredo", &["2001:0:7f00:1::"]),
            ("IPv4-compatible", &["::7f00:1", "::a00:1"]),
            ("outside of the public internet", &["4000::1", "1000::1"]),
        ] {
            for address in addresses {
                assert_eq!(verdict(address, false), Err(class), "{address}");
            }
        }
    }

    #[test]
    fn the_public_internet_is_spoken_to() {
        for address in
            ["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "2606:4700::1111", "2a00::1"]
        {
            assert_eq!(verdict(address, false), Ok(()), "{address}");
        }
    }

    #[test]
    fn allowing_loopback_allows_nothing_else() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(verdict(address, true), Ok(()), "{address}");
        }
        for address in ["10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "64:ff9b::7f00:1", "::7f00:1", "fe80::1", "fc00::1"] {
            assert!(verdict(address, true).is_err(), "{address}");
        }
    }
}
