//! How a command or a question can fail.

use std::error::Error;
use std::sync::Arc;

use crate::types::room::RoomHead;

/// The underlying failure of the storage engine. Shared, because one failed transaction fails many commands.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a command or a question failed. Holds no user data apart from what `Conflict` tells the caller.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The state is not the one that the command expected. Nothing changed: load again and retry.
    #[error("the stored state is not the expected one")]
    Conflict {
        /// The room as it is; `None` when it does not exist.
        current: Option<Box<RoomHead>>,
    },
    /// The storage failed (disk full, I/O error, overload, shutdown). Nothing is half applied.
    #[error("storage unavailable in {command} (maybe applied: {maybe_applied})")]
    Unavailable {
        /// Name of the command or question.
        command: &'static str,
        /// `false`: it certainly did not happen. `true`: it may have become durable; repeat it or load again before
        /// telling anybody anything.
        maybe_applied: bool,
        /// What the storage engine said, where there is something.
        source: Option<Cause>,
    },
    /// What is stored contradicts the store's own rules. Not repaired by a retry.
    #[error("stored data is damaged in {command}")]
    Corrupt {
        /// Name of the command or question that met it.
        command: &'static str,
        /// What the storage engine said, where there is something.
        source: Option<Cause>,
    },
    /// The caller broke a documented bound: a bug there. Nothing changed.
    #[error("misuse of the store: {0}")]
    Misuse(&'static str),
}

impl StoreError {
    /// Whether the command may have happened in spite of the error.
    #[must_use]
    pub fn maybe_applied(&self) -> bool {
        matches!(
            self,
            Self::Unavailable {
                maybe_applied: true,
                ..
            }
        )
    }

    /// Whether the state was not the expected one.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}
