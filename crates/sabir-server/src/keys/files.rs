//! Private files on Unix.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::SecretsError;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Makes an empty folder of mode 0700 and with it `data_dir`; what an interrupted attempt left is removed.
pub(super) fn empty_private_folder(folder: &Path) -> Result<(), SecretsError> {
    let failed = |source| SecretsError::Io {
        path: folder.to_owned(),
        source,
    };
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)
}

/// Writes a new file, durably.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SecretsError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| SecretsError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Gives a finished folder its name, durably.
pub(super) fn put_in_place(made: &Path, folder: &Path) -> Result<(), SecretsError> {
    let put = || {
        File::open(made)?.sync_all()?;
        // Renaming onto an empty folder replaces it; onto a full one it fails.
        fs::rename(made, folder)?;
        folder
            .parent()
            .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    put().map_err(|source| SecretsError::Io {
        path: folder.to_owned(),
        source,
    })
}

/// Reads a file that nobody else may read.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
    let failed = |source| SecretsError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(SecretsError::NotPrivate(path.to_owned()));
    }
    if metadata.len() > LARGEST {
        return Err(SecretsError::Damaged(path.to_owned()));
    }
    // With room for all of it, reading leaves no copies of the secret behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len()).unwrap_or_default(),
    ));
    file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
