//! Messages that expire (draft-ietf-mimi-content §5.8): each is gone at its time, whether or not anything can be reached.
//!
//! ```text
//!   taken its place: at a time, or after it was read --> the time is on disk --> over: text, content and all done to it go
//! ```
//!
//! What is left is a line without words, so that an edit or reaction that comes late does not bring it back. A profile that
//! was closed at the time lets go of it when it is opened, before anything is shown. What one wrote counts as read.

use sabir_core::room::{ExpiryWish, expiry};
use sabir_wire::content::Expiration;

use super::ClientError;
use super::keeper::{Keeper, Step};
use crate::account::now;
use crate::store::{Deletion, Marks, StoreError, Tx};

/// Messages that expire in one transaction.
const AT_ONCE: u32 = 256;

/// What somebody who writes wants; 0 is never.
pub(super) const fn wish(seconds: u32) -> ExpiryWish {
    match seconds {
        0 => ExpiryWish::Never,
        seconds => ExpiryWish::After(seconds),
    }
}

/// After how many seconds a message expires that is written now.
pub(super) fn chosen(step: &Step<'_, '_>, wish: ExpiryWish) -> Result<Option<u32>, ClientError> {
    expiry(step.engine.state(), wish).map_err(|refusal| ClientError::Denied(refusal.to_string()))
}

/// A message took its place: notes when it goes. `own` ones were read when they were written; until the log has one, its
/// time runs from the hub's answer, or from when it was clear that it goes nowhere.
pub(super) fn begin(
    tx: &mut Tx<'_>,
    id: u64,
    expires: Option<Expiration>,
    (own, accepted): (bool, u64),
) -> Result<(), StoreError> {
    match expires {
        Some(Expiration::Absolute(at)) => tx.set_expiry(id, 0, Some(u64::from(at).saturating_mul(1_000))),
        Some(Expiration::Relative(after)) => {
            let after = u64::from(after).saturating_mul(1_000);
            tx.set_expiry(id, after, own.then(|| accepted.saturating_add(after)))
        }
        None => Ok(()),
    }
}

/// The time of an own message runs that the log does not have yet.
pub(super) fn begin_own(tx: &mut Tx<'_>, id: u64, marks: &Marks, at: u64) -> Result<(), StoreError> {
    match marks.expires_after {
        Some(after) => begin(tx, id, Some(Expiration::Relative(after)), (true, at)),
        None => Ok(()),
    }
}

impl Keeper {
    fn forget_all(&mut self, over: &[u64], now: u64) -> Result<(), StoreError> {
        let last = self.store.transaction("expire", |tx| {
            for id in over {
                forget(tx, *id, now)?;
            }
            tx.last_change()
        })?;
        self.published(last);
        Ok(())
    }

    /// Lets go of what is over; says when the next message is.
    pub(super) fn expire(&mut self) -> Result<Option<u64>, ClientError> {
        loop {
            let now = now()?;
            let over = self.store.read(|tx| tx.expired(now, AT_ONCE))?;
            if over.is_empty() {
                return Ok(self.store.read(|tx| tx.next_expiry())?);
            }
            let all = self.forget_all(&over, now);
            let Err(error) = all else {
                continue;
            };
            // One that cannot be read holds up no other.
            tracing::error!(%error, "messages that are over cannot be deleted together");
            for id in over {
                match self.forget_all(&[id], now) {
                    Err(StoreError::Damaged { .. } | StoreError::Conflict(_)) => {
                        tracing::error!("a message that is over is damaged, and stays");
                        self.store
                            .transaction("leave damaged", |tx| tx.forget_expiry(id))?;
                    }
                    outcome => outcome?,
                }
            }
        }
    }
}

fn forget(tx: &mut Tx<'_>, id: u64, now: u64) -> Result<(), StoreError> {
    match tx.message_by_number(id)? {
        Some((record, row)) if row.entry.marks.deleted.is_none() => {
            let by = row.entry.sender.clone();
            tx.erase_message(&record.room, row, Deletion { by, at: now }, true)
        }
        _ => tx.forget_expiry(id),
    }
}
