//! A memory of issuers whose signatures were found good.

use std::collections::{BTreeSet, VecDeque};

use super::anchors::CaCertificate;
use super::certificate::Certificate;

/// Which user certificates were found to be signed by which CA, so that a room's many devices cost one
/// signature check each and their few persons' certificates one in all.
///
/// It remembers signatures alone, which never change; names, times and whether the CA is still pinned are
/// checked every time. Bounded; the oldest entry goes first.
#[derive(Debug)]
pub struct IssuerCache {
    capacity: usize,
    known: BTreeSet<[u8; 64]>,
    order: VecDeque<[u8; 64]>,
}

impl Default for IssuerCache {
    /// Room for 4,096 issuers, under 1 MiB.
    fn default() -> Self {
        Self::with_capacity(4096)
    }
}

impl IssuerCache {
    /// A cache of at most `capacity` entries; 0 remembers nothing.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity,
            known: BTreeSet::new(),
            order: VecDeque::new(),
        }
    }

    /// How many signatures are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether `ca`'s key signed `certificate`, from memory or by checking.
    pub(super) fn is_signed_by(&mut self, certificate: &Certificate, ca: &CaCertificate) -> bool {
        let mut entry = [0; 64];
        let (left, right) = entry.split_at_mut(32);
        left.copy_from_slice(&certificate.hash());
        right.copy_from_slice(&ca.hash());
        if self.known.contains(&entry) {
            return true;
        }
        if certificate.check_signature(ca.key()).is_err() {
            return false;
        }
        self.remember(entry);
        true
    }

    fn remember(&mut self, entry: [u8; 64]) {
        if self.capacity == 0 {
            return;
        }
        while self.order.len() >= self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        if self.known.insert(entry) {
            self.order.push_back(entry);
        }
    }
}
