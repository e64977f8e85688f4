//! Key packages of local devices, and where a key package reference leads.

use crate::StoreError;
use crate::types::{Hash, bounded};

/// The most key packages that wait for one device; publishing more evicts the oldest.
pub const MAX_KEY_PACKAGES_PER_DEVICE: usize = 256;

/// A published key package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackageRow {
    /// KeyPackageRef.
    pub reference: Vec<u8>,
    /// The key package.
    pub bytes: Vec<u8>,
    /// MLS cipher suite.
    pub suite: u16,
    /// End of its lifetime, milliseconds since 1970, inclusive.
    pub not_after: u64,
    /// When it was published, milliseconds since 1970.
    pub published_at: u64,
}

/// Which key packages may be handed out. The default lets every one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// `not_after` must be at least this.
    pub min_not_after: u64,
    /// `published_at` must be at least this.
    pub published_since: u64,
}

/// Adds key packages of one device. A reference that was published before is left alone, even when it was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishKeyPackages {
    /// The device's client URI.
    pub device: String,
    /// The user's URI.
    pub user: String,
    /// At most [`MAX_KEY_PACKAGES_PER_DEVICE`].
    pub packages: Vec<KeyPackageRow>,
}

/// What became of published key packages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    /// New ones.
    pub stored: usize,
    /// Those whose reference was there already.
    pub known: usize,
    /// Those whose lifetime ended before they were published; not stored.
    pub stale: usize,
    /// Older ones that made room, never to be handed out.
    pub evicted: usize,
}

/// Takes one key package for each pick. The same `request_key` gets the same answer again, whatever else it says,
/// until [`crate::Retention::answers_ms`] is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeKeyPackages {
    /// Names the request.
    pub request_key: Hash,
    /// For whom.
    pub picks: Vec<KeyPackagePick>,
    /// What may be handed out.
    pub fresh: Freshness,
    /// Milliseconds since 1970.
    pub now: u64,
}

/// A device to take a key package of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackagePick {
    /// The device's client URI.
    pub device: String,
    /// Acceptable suites, the preferred one first.
    pub suites: Vec<u16>,
}

/// The answer to one pick. Of several key packages the one published first is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenKeyPackage {
    /// The device's client URI.
    pub device: String,
    /// Its key package; `None` when none was left.
    pub package: Option<KeyPackageRow>,
}

/// Where a Welcome for a key package reference goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To a local device (client URI).
    Device(String),
    /// To another provider (domain).
    Provider(String),
}

/// Remembers which provider handed out which key package. A route to a local device is never replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordRoutes {
    /// The routes; of two with one reference the last wins.
    pub routes: Vec<RouteRow>,
}

/// One route to another provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRow {
    /// KeyPackageRef.
    pub reference: Vec<u8>,
    /// The provider's domain.
    pub provider: String,
    /// Until when to keep it, milliseconds since 1970.
    pub expires_at: u64,
}

impl Freshness {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.min_not_after, self.published_since])
    }
}

impl PublishKeyPackages {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.packages.len() > MAX_KEY_PACKAGES_PER_DEVICE {
            return Err(StoreError::Misuse(
                "more key packages than MAX_KEY_PACKAGES_PER_DEVICE",
            ));
        }
        self.packages
            .iter()
            .try_for_each(|package| bounded(&[package.not_after, package.published_at]))
    }
}

impl TakeKeyPackages {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.fresh.check()?;
        bounded(&[self.now])
    }
}

impl RecordRoutes {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.routes
            .iter()
            .try_for_each(|route| bounded(&[route.expires_at]))
    }
}
