//! Failures inside a command, before it is known what they mean for the caller.

use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::StoreError;

#[derive(Debug)]
pub(super) enum Fail {
    /// The command refuses by its own rules; nothing is wrong with the storage.
    Refused(StoreError),
    /// SQLite failed.
    Engine(rusqlite::Error),
    /// A row that another row refers to is missing, or a number is out of its range.
    Damaged,
}

impl Fail {
    /// The error of a command that was undone for certain.
    pub(super) fn into_error(self, command: &'static str) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Damaged => StoreError::Corrupt {
                command,
                source: None,
            },
            Self::Engine(error) if is_damage(&error) => StoreError::Corrupt {
                command,
                source: Some(Arc::new(error)),
            },
            Self::Engine(error) => StoreError::Unavailable {
                command,
                maybe_applied: false,
                source: Some(Arc::new(error)),
            },
        }
    }
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => true,
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation
        ),
        _ => false,
    }
}
