use std::io;
use std::time::Duration;

use crate::transport::{TransportError, Verdict};

/// Why a transfer does not go on now.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It never will; a sentence for people.
    Fails(String),
    /// It will, not before this time where there is one; a sentence for people.
    Waits(Option<Duration>, String),
    /// The client is being shut down.
    Stopped,
}

/// Between attempts where this machine or the provider's refusal to sign in is the trouble.
const LONG: Duration = Duration::from_secs(60);

impl Trouble {
    pub(super) fn fails(why: impl Into<String>) -> Self {
        Self::Fails(why.into())
    }

    pub(super) fn changed() -> Self {
        Self::fails("The file was changed since it was read; send it again")
    }

    pub(super) fn cipher() -> Self {
        Self::fails("The file cannot be encrypted or decrypted")
    }

    /// This machine refused something that it will refuse again.
    pub(super) fn local(what: &str, error: &io::Error) -> Self {
        Self::Fails(format!("{what}: {error}"))
    }

    /// The file that is sent cannot be read on.
    pub(super) fn reading(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::changed(),
            _ => Self::local("The file cannot be read", error),
        }
    }
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::SignInRefused => Self::Waits(Some(LONG), error.to_string()),
            TransportError::Refused { status: 404, .. } => {
                Self::fails("The provider does not have the file, or has it no more")
            }
            TransportError::Refused {
                error: Some(said), ..
            } if !said.text.is_empty() => Self::Fails(format!("The provider refuses: {}", said.text)),
            error => match error.verdict() {
                Verdict::Repeat(wait) => Self::Waits(wait, error.to_string()),
                Verdict::Give => Self::Fails(error.to_string()),
            },
        }
    }
}
