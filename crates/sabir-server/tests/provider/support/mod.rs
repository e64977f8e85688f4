//! A town: a private authority, providers, people with devices, and raw connections.

pub(crate) mod connection;
pub(crate) mod door;
pub(crate) mod entry;
pub(crate) mod logs;
pub(crate) mod person;
pub(crate) mod picture;
pub(crate) mod scene;
pub(crate) mod search;
pub(crate) mod talker;
pub(crate) mod tap;
pub(crate) mod town;

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use sabir_wire::uri::Domain;

/// Longer than anything here should take; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub(crate) fn rng() -> ChaCha20Rng {
    sabir_server::ambient::rng().unwrap()
}

pub(crate) fn now() -> u64 {
    sabir_server::ambient::now()
}
