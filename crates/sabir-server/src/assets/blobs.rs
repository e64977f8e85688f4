use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, SHA256};
use sabir_store::Hash;
use sabir_wire::client_api::AssetId;

/// Read at a time where a file is read through.
const BLOCK: usize = 256 * 1024;

/// The folder of files. Its methods block.
#[derive(Debug)]
pub(super) struct Blobs {
    partial: PathBuf,
    whole: PathBuf,
    /// Uploads that a request is at work on.
    held: Mutex<HashSet<String>>,
}

/// The right to change one upload.
#[derive(Debug)]
pub(super) struct Hold {
    blobs: Arc<Blobs>,
    id: AssetId,
}

/// How an upload ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// It is in its place, durably.
    Whole,
    /// It has another hash, and is gone.
    Mismatch,
}

impl Blobs {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let (partial, whole) = (folder.join("partial"), folder.join("whole"));
        for made in [&partial, &whole] {
            DirBuilder::new().recursive(true).mode(0o700).create(made)?;
        }
        Ok(Self {
            partial,
            whole,
            held: Mutex::default(),
        })
    }

    /// The right to change an upload; `None` while somebody else has it.
    pub(super) fn hold(self: &Arc<Self>, id: &AssetId) -> Option<Hold> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(id.as_str().to_owned()).then(|| Hold {
            blobs: Arc::clone(self),
            id: id.clone(),
        })
    }

    /// Bytes of an upload that are there; all of them once it is in its place.
    pub(super) fn received(&self, id: &AssetId) -> io::Result<u64> {
        match length(&self.partial.join(id.as_str()))? {
            Some(length) => Ok(length),
            None => Ok(length(&self.whole.join(id.as_str()))?.unwrap_or(0)),
        }
    }

    /// A finished file and its length; `None` where there is none.
    pub(super) fn read(&self, id: &AssetId) -> io::Result<Option<(File, u64)>> {
        match File::open(self.whole.join(id.as_str())) {
            Ok(file) => {
                let length = file.metadata()?.len();
                Ok(Some((file, length)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes what there is of an asset.
    pub(super) fn delete(&self, id: &str) -> io::Result<()> {
        for folder in [&self.partial, &self.whole] {
            match fs::remove_file(folder.join(id)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The names of all files that were last changed before `before`.
    pub(super) fn names(&self, before: SystemTime) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for folder in [&self.partial, &self.whole] {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.metadata()?.modified()? < before
                    && let Ok(name) = entry.file_name().into_string()
                {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }
}

impl Hold {
    /// The upload's file, at its end.
    pub(super) fn append(&self) -> io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.blobs.partial.join(self.id.as_str()))
    }

    /// Compares the hash of an upload that is complete and puts it into its place, durably. Doing it again is fine.
    pub(super) fn seal(&self, hash: &Hash) -> io::Result<Sealed> {
        let partial = self.blobs.partial.join(self.id.as_str());
        let whole = self.blobs.whole.join(self.id.as_str());
        let file = match File::open(&partial) {
            Ok(file) => file,
            // It was put there before, and the answer was lost.
            Err(error) if error.kind() == ErrorKind::NotFound && whole.exists() => return Ok(Sealed::Whole),
            Err(error) => return Err(error),
        };
        if sha256(&file)? != *hash {
            drop(file);
            fs::remove_file(&partial)?;
            return Ok(Sealed::Mismatch);
        }
        file.sync_all()?;
        fs::rename(&partial, &whole)?;
        File::open(&self.blobs.whole)?.sync_all()?;
        File::open(&self.blobs.partial)?.sync_all()?;
        Ok(Sealed::Whole)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.blobs.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(self.id.as_str());
    }
}

fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn sha256(mut file: &File) -> io::Result<Hash> {
    let mut context = Context::new(&SHA256);
    let mut block = vec![0; BLOCK];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            break;
        }
        context.update(block.get(..read).unwrap_or_default());
    }
    let digest = context.finish();
    Hash::try_from(digest.as_ref()).map_err(|_| ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_gets_its_place_by_its_hash_alone() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(folder.path()).unwrap());
        let id = AssetId::parse("aaaaaaaaaaaaaaaaaaaaaa").unwrap();
        let hold = blobs.hold(&id).unwrap();
        assert!(blobs.hold(&id).is_none(), "one at a time");
        hold.append().unwrap().write_all(b"abc").unwrap();
        assert_eq!(blobs.received(&id).unwrap(), 3);
        assert!(blobs.read(&id).unwrap().is_none(), "not before it is whole");
        assert_eq!(hold.seal(&[0; 32]).unwrap(), Sealed::Mismatch);
        assert_eq!(blobs.received(&id).unwrap(), 0, "what is wrong is gone");
        hold.append().unwrap().write_all(b"ab").unwrap();
        hold.append().unwrap().write_all(b"c").unwrap();
        let hash = sabir_mls::keys::sha256(b"abc");
        assert_eq!(hold.seal(&hash).unwrap(), Sealed::Whole);
        assert_eq!(hold.seal(&hash).unwrap(), Sealed::Whole, "again");
        assert_eq!(blobs.received(&id).unwrap(), 3);
        assert_eq!(blobs.read(&id).unwrap().unwrap().1, 3);
        drop(hold);
        assert!(blobs.hold(&id).is_some());
        assert_eq!(
            blobs
                .names(SystemTime::now() + std::time::Duration::from_secs(60))
                .unwrap(),
            [id.as_str()]
        );
        blobs.delete(id.as_str()).unwrap();
        blobs.delete(id.as_str()).unwrap();
        assert!(blobs.read(&id).unwrap().is_none());
    }
}
