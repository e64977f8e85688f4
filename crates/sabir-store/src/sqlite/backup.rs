//! Backup while the store is in use.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{SqliteStore, open};
use crate::StoreError;

impl SqliteStore {
    /// Writes a consistent copy of the database to the new file `to`, for its owner alone. Others go on reading and
    /// writing meanwhile. Blocks for as long as the copy takes. The file appears only when it is whole and durable;
    /// `to` with `.partial` after it may remain of a failure.
    ///
    /// To restore, put the copy as `provider.db` into an empty directory of mode 0700. What was accepted after the
    /// backup is missing then: rooms of this hub restart at an older epoch, and their members must rejoin.
    ///
    /// # Errors
    /// `Misuse` when `to` exists; `Unavailable`.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        if to.exists() {
            return Err(StoreError::Misuse("the backup's file exists"));
        }
        let partial = partial(to);
        // SQLite fills an empty file and leaves its mode alone.
        fresh(&partial).map_err(failed)?;
        let name = partial
            .to_str()
            .ok_or(StoreError::Misuse("the backup's path is not Unicode"))?;
        self.read("backup", |connection| {
            connection.execute("VACUUM INTO ?1", [name])?;
            Ok(())
        })?;
        publish(&partial, to).map_err(failed)
    }
}

fn partial(to: &Path) -> PathBuf {
    let mut name = OsString::from(to);
    name.push(".partial");
    PathBuf::from(name)
}

fn fresh(path: &Path) -> io::Result<()> {
    open::private_file(path)?.set_len(0)
}

fn publish(partial: &Path, to: &Path) -> io::Result<()> {
    fs::File::open(partial)?.sync_all()?;
    fs::rename(partial, to)?;
    let directory = to
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    open::sync_directory(directory)
}

fn failed(error: io::Error) -> StoreError {
    StoreError::Unavailable {
        command: "backup",
        maybe_applied: false,
        source: Some(Arc::new(error)),
    }
}
