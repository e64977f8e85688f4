use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::body::AddressMemory;

/// Counts open connections, in all and by address.
#[derive(Debug)]
pub(super) struct Quota {
    total: usize,
    per_address: usize,
    /// Bytes that the bodies of one address may hold in memory.
    memory: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: BTreeMap<IpAddr, Address>,
}

#[derive(Debug)]
struct Address {
    connections: usize,
    memory: AddressMemory,
}

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    quota: Arc<Quota>,
    address: IpAddr,
    /// What all connections of the address share.
    pub(super) memory: AddressMemory,
}

impl Quota {
    pub(super) fn new(total: usize, per_address: usize, memory: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_address,
            memory: memory.min(Semaphore::MAX_PERMITS),
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
        let known = open.by_address.entry(address).or_insert_with(|| Address {
            connections: 0,
            memory: AddressMemory(Arc::new(Semaphore::new(self.memory))),
        });
        if known.connections >= self.per_address {
            return None;
        }
        known.connections = known.connections.saturating_add(1);
        let memory = known.memory.clone();
        open.total = open.total.saturating_add(1);
        Some(Place {
            quota: Arc::clone(self),
            address,
            memory,
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
        if let Some(known) = open.by_address.get_mut(&self.address) {
            known.connections = known.connections.saturating_sub(1);
            if known.connections == 0 {
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
        let quota = Quota::new(3, 2, 1000);
        let (a, b) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = quota.enter(a).unwrap();
        let second = quota.enter(a).unwrap();
        assert!(quota.enter(a).is_none(), "two for one address");
        let third = quota.enter(b).unwrap();
        let taken = first.memory.0.try_acquire_many(1000).unwrap();
        assert!(second.memory.0.try_acquire().is_err(), "one address, one memory");
        drop(taken);
        assert!(third.memory.0.try_acquire().is_ok());
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
