use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sabir_wire::uri::Domain;

use super::PeerError;

/// Finds the addresses of hosts.
#[derive(Debug)]
pub(super) struct Resolver {
    fixed: BTreeMap<Domain, SocketAddr>,
    allow_private: bool,
}

impl Resolver {
    pub(super) fn new(fixed: BTreeMap<Domain, SocketAddr>, allow_private: bool) -> Self {
        Self { fixed, allow_private }
    }

    /// The addresses to try, in order. A fixed one is used as it is, its port included.
    pub(super) async fn resolve(&self, host: &Domain, port: u16) -> Result<Vec<SocketAddr>, PeerError> {
        if let Some(address) = self.fixed.get(host) {
            return Ok(vec![*address]);
        }
        let found = tokio::net::lookup_host((host.as_str(), port))
            .await
            .map_err(PeerError::Connection)?;
        let usable: Vec<_> = found
            .filter(|a| self.allow_private || is_public(a.ip()))
            .collect();
        if usable.is_empty() {
            Err(PeerError::NoAddress)
        } else {
            Ok(usable)
        }
    }
}

/// Whether an address can be one of the internet's hosts. Anybody can make us look up and connect to a name of his
/// choice; what is refused here is a way into our own network.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_multicast();
    // 0/8 this network, 100.64/10 carrier-grade NAT, 192.0.0/24 protocol assignments, 198.18/15 benchmarks,
    // 240/4 reserved (RFC 6890).
    let reserved = match v4.octets() {
        [0, ..] | [192, 0, 0, _] | [240..=255, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [198, second, ..] => (18..20).contains(&second),
        _ => false,
    };
    !special && !reserved
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    match v6.segments() {
        // NAT64 leads to the IPv4 address in the last 32 bits (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Documentation, Teredo and 6to4, which embed addresses of their own.
        [0x2001, 0xdb8 | 0, ..] | [0x2002, ..] => false,
        // 2000::/3 is all that is assigned for global unicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::is_public;

    #[test]
    fn private_networks_are_known() {
        for public in [
            "9.9.9.9",
            "100.63.0.1",
            "100.128.0.1",
            "198.17.1.1",
            "2a00:1450::1",
            "64:ff9b::909:909",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:0:1::",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }
}
