//! The profile's directory: private, locked, its files private too.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::StoreError;

/// The file of the profile key.
pub(super) const KEY: &str = "profile.key";
const DATABASE: &str = "client.db";
const LOCK: &str = "lock";

/// Creates the directory when it is missing and takes its lock, which one process holds at a time.
pub(super) fn lock_directory(directory: &Path) -> Result<File, StoreError> {
    create_private(directory)?;
    let lock = private(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
        &directory.join(LOCK),
    )?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Creates the database file when it is missing. SQLite gives its mode to the files beside it.
pub(super) fn database(directory: &Path) -> Result<PathBuf, StoreError> {
    let path = directory.join(DATABASE);
    private(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
        &path,
    )?;
    sync(directory)?;
    Ok(path)
}

/// Replaces a file by `content`, whole or not at all.
pub(super) fn replace(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let temporary = directory.join(format!("{name}.new"));
    let mut file = private(
        OpenOptions::new().write(true).create(true).truncate(true),
        &temporary,
    )?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(name))?;
    sync(directory)
}

/// Makes names in the directory durable.
fn sync(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory)?.sync_all()
    } else {
        Ok(())
    }
}

fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

fn create_private(directory: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if fs::metadata(directory)?.permissions().mode() & 0o077 != 0 {
            return Err(StoreError::NotPrivate);
        }
    }
    Ok(())
}
