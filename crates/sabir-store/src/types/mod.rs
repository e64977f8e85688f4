//! The commands and answers, as plain data. Each command checks its own bounds, once for all implementations.

use std::sync::Arc;

use crate::StoreError;

pub(crate) mod account;
pub(crate) mod asset;
pub(crate) mod device;
pub(crate) mod key_package;
pub(crate) mod outbox;
pub(crate) mod retention;
pub(crate) mod room;

/// A SHA-256 digest, or a key of the same size.
pub type Hash = [u8; 32];

/// The largest number (time, epoch, sequence, cursor, size) a command may carry: SQL integers are signed.
/// Serves as "never" for times.
pub const MAX_NUMBER: u64 = i64::MAX as u64;

/// Something may have changed: look again. Published after the commit; lossy, so it carries no data and a receiver
/// that lagged looks at everything it cares for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// The queue of this device (client URI) grew.
    Device(Arc<str>),
    /// A batch of a room for a follower was frozen and is due.
    Outbox {
        /// The room's URI.
        room: Arc<str>,
        /// The follower's domain.
        follower: Arc<str>,
    },
}

/// Refuses numbers that a signed SQL integer cannot hold.
pub(crate) fn bounded(numbers: &[u64]) -> Result<(), StoreError> {
    if numbers.iter().any(|number| *number > MAX_NUMBER) {
        return Err(StoreError::Misuse("number above MAX_NUMBER"));
    }
    Ok(())
}
