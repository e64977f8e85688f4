use std::time::Duration;

use sabir_wire::client_api::ApiError;

/// Why a request has no answer that counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The provider cannot be reached; another attempt is allowed after this time.
    #[error("the provider cannot be reached")]
    Unreachable {
        /// When to try again.
        wait: Duration,
    },
    /// The connection failed while the request was under way: it may have arrived.
    #[error("the connection to the provider failed")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer did not come in time: the request may have arrived.
    #[error("the provider did not answer in time")]
    Timeout,
    /// The provider cannot answer now, or wants fewer requests.
    #[error("the provider is busy (status {status})")]
    Busy {
        /// HTTP status.
        status: u16,
        /// When to come back, where it says so; at most an hour.
        after: Option<Duration>,
    },
    /// The provider does not know this device's key, or no longer takes it.
    #[error("the provider refuses to sign this device in")]
    SignInRefused,
    /// The provider refuses this very request; the same bytes will be refused again.
    #[error("the provider refuses the request (status {status})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it says, where it can be read.
        error: Option<ApiError>,
    },
    /// The answer is not what the API defines.
    #[error("the provider's answer is malformed: {0}")]
    Malformed(String),
    /// One event cannot be read; the event stream goes on behind it.
    #[error("an event of the provider cannot be read: {0}")]
    BadEvent(String),
    /// A foreign provider does not publish an identity that holds.
    #[error("the identity of {domain} is refused: {reason}")]
    Identity {
        /// Whose.
        domain: String,
        /// What is wrong.
        reason: String,
    },
    /// The transport has no device that could sign in.
    #[error("there is no device to sign in")]
    NoDevice,
}

/// What to do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Repeat the same bytes, not before this time where there is one.
    Repeat(Option<Duration>),
    /// Nothing that is repeated soon will help.
    Give,
}

impl TransportError {
    /// What to do about it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Unreachable { wait } => Verdict::Repeat(Some(*wait)),
            Self::Busy { after, .. } => Verdict::Repeat(*after),
            Self::Broken(_) | Self::Timeout | Self::Malformed(_) | Self::BadEvent(_) => Verdict::Repeat(None),
            Self::SignInRefused | Self::Refused { .. } | Self::Identity { .. } | Self::NoDevice => {
                Verdict::Give
            }
        }
    }

    pub(super) fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Broken(error.into())
    }
}
