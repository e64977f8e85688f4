use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts open connections, in all and by address.
#[derive(Debug)]
pub(super) struct Quota {
    total: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    quota: Arc<Quota>,
    address: IpAddr,
}

impl Quota {
    pub(super) fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_address,
            open: Mutex::default(),
        })
    }

    /// A place for a connection from `remote`, or `None` when there is none left.
    pub(super) fn enter(self: &Arc<Self>, remote: IpAddr) -> Option<Place> {
        let address = network(remote);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.total {
            return None;
        }
        let count = open.by_address.entry(address).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count = count.saturating_add(1);
        open.total = open.total.saturating_add(1);
        Some(Place {
            quota: Arc::clone(self),
            address,
        })
    }

    /// Open connections.
    pub(super) fn in_use(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.quota.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: a host of IPv4, a /64 of IPv6, of which one customer has at least one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{Quota, network};

    #[test]
    fn places_are_bounded_and_freed() {
        let quota = Quota::new(3, 2);
        let (a, b) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = quota.enter(a).unwrap();
        let _second = quota.enter(a).unwrap();
        assert!(quota.enter(a).is_none(), "two for one address");
        let _third = quota.enter(b).unwrap();
        assert!(quota.enter(b).is_none(), "three in all");
        drop(first);
        assert!(quota.enter(b).is_some());
        assert_eq!(quota.in_use(), 2);
    }

    #[test]
    fn ipv6_counts_by_network() {
        let net = |text: &str| network(text.parse().unwrap());
        assert_eq!(net("2001:db8:1:2:3:4:5:6"), net("2001:db8:1:2:ffff::1"));
        assert_ne!(net("2001:db8:1:2::1"), net("2001:db8:1:3::1"));
        assert_eq!(net("::ffff:192.0.2.1"), net("192.0.2.1"));
    }
}
