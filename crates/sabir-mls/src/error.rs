use sabir_wire::uri::Domain;
use thiserror::Error;

use crate::app_data::AppDataError;
use crate::identity::CredentialError;

/// Why an operation on a group was refused. Nothing has changed where one is returned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MlsError {
    /// The bytes are not the MLS structure this operation needs.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// The message belongs to another group.
    #[error("the message belongs to another group")]
    WrongGroup,
    /// The message belongs to another epoch than the group is in.
    #[error("the message is of epoch {message}, the group is in epoch {group}")]
    WrongEpoch {
        /// Epoch of the message.
        message: u64,
        /// Epoch of the group.
        group: u64,
    },
    /// MLS itself forbids it (RFC 9420): signature, tag, proposal list, tree, capabilities.
    #[error("MLS refuses: {0}")]
    Invalid(String),
    /// A credential does not prove what it must.
    #[error("credential refused: {0}")]
    Credential(#[from] CredentialError),
    /// A credential names a provider whose identity CA is not known; it can be fetched and the call repeated.
    #[error("no identity authority is known for a provider")]
    UnknownProvider(Domain),
    /// A leaf lacks what every client of a MIMI room announces.
    #[error("leaf refused: {0}")]
    Leaf(&'static str),
    /// The AppDataUpdate proposals of a commit are invalid together.
    #[error("room state refused: {0}")]
    AppData(#[from] AppDataError),
    /// The GroupInfo that came with a commit is not the new epoch's.
    #[error("group info refused: {0}")]
    GroupInfo(&'static str),
    /// The ratchet tree that came with a commit is not the new epoch's.
    #[error("the ratchet tree does not match")]
    RatchetTree,
    /// The group waits for the hub's word on this client's own commit.
    #[error("a commit of this client is pending")]
    CommitPending,
    /// There is no own commit to merge or drop.
    #[error("no commit of this client is pending")]
    NoCommitPending,
    /// This client was removed from the group.
    #[error("this client is no longer a member")]
    Evicted,
    /// The rows do not hold this group.
    #[error("no such group in the stored state")]
    NoSuchGroup,
    /// The cipher suite is not one we implement.
    #[error("cipher suite {0:#06x} is not supported")]
    UnsupportedSuite(u16),
    /// A fault of ours or of the library.
    #[error("internal: {0}")]
    Internal(String),
}

impl MlsError {
    pub(crate) fn invalid(error: impl std::fmt::Display) -> Self {
        Self::Invalid(error.to_string())
    }

    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}
