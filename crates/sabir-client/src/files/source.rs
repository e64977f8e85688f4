//! The file that is sent, read piece by piece.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use aws_lc_rs::digest::{Context, SHA256, digest};
use sabir_wire::client_api::MAX_ASSET_PIECE;

use super::gcm::{self, FileKey};
use super::record::{OpenPlan, Stamp};
use super::{Trouble, image, media};
use crate::random;

/// Bytes of a piece: what is read, encrypted and appended at a time.
pub(super) const PIECE: usize = MAX_ASSET_PIECE;
/// The largest picture whose metadata is taken out, in bytes: that is done in memory.
pub(super) const MAX_PICTURE: u64 = 24 << 20;

/// An open file, or what is left of a picture.
pub(super) enum Source {
    File(File, u64),
    Picture(Vec<u8>),
}

/// What is known of a file before it is sent.
pub(super) struct Looked {
    pub(super) stamp: Stamp,
    pub(super) media_type: &'static str,
}

/// Looks at a file without reading it through. Blocks.
pub(super) fn look(path: &Path) -> io::Result<Looked> {
    let mut file = open(path)?;
    let stamp = stamp(&file.metadata()?)?;
    let mut head = Vec::new();
    Read::by_ref(&mut file)
        .take(media::HEAD as u64)
        .read_to_end(&mut head)?;
    Ok(Looked {
        stamp,
        media_type: media::guess(&head),
    })
}

impl Source {
    /// Opens a file that must be as it was. Blocks.
    pub(super) fn open(
        path: &Path,
        expected: &Stamp,
        media_type: &str,
        keep_metadata: bool,
    ) -> Result<Self, Trouble> {
        let lost = |error: io::Error| Trouble::local("The file cannot be read", &error);
        let mut file = open(path).map_err(lost)?;
        let found = file
            .metadata()
            .and_then(|metadata| stamp(&metadata))
            .map_err(lost)?;
        if found != *expected {
            return Err(Trouble::changed());
        }
        if !keep_metadata && image::is_opaque(media_type) {
            return Err(Trouble::fails(format!(
                "A picture of this kind ({media_type}) may say where it was taken, which cannot be taken out here; send it with its metadata, or as JPEG, PNG, WebP or GIF"
            )));
        }
        if keep_metadata || !image::is_known(media_type) {
            return Ok(Self::File(file, found.size));
        }
        if found.size > MAX_PICTURE {
            return Err(Trouble::fails(format!(
                "The picture is too large to take its metadata out (more than {} MiB); send it with its metadata, or make it smaller",
                MAX_PICTURE >> 20
            )));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.size).unwrap_or(0));
        let read = Read::by_ref(&mut file).take(MAX_PICTURE).read_to_end(&mut bytes);
        read.map_err(|error| Trouble::local("The file cannot be read", &error))?;
        let stripped = image::stripped(media_type, &bytes);
        let stripped = stripped.ok_or_else(|| {
            Trouble::fails(
                "The picture is damaged, so its metadata cannot be taken out; send it with its metadata",
            )
        })?;
        Ok(Self::Picture(stripped))
    }

    /// Bytes that are sent of it, without the tag.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File(_, size) => *size,
            Self::Picture(bytes) => bytes.len() as u64,
        }
    }

    /// Reads up to a piece at `offset` into `out`, which is replaced; it is shorter at the end alone.
    fn read(&mut self, offset: u64, out: &mut Vec<u8>) -> io::Result<()> {
        out.clear();
        match self {
            Self::File(file, size) => {
                let left = size.saturating_sub(offset).min(PIECE as u64);
                file.seek(SeekFrom::Start(offset))?;
                out.resize(usize::try_from(left).map_err(|_| ErrorKind::InvalidInput)?, 0);
                file.read_exact(out)
            }
            Self::Picture(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(PIECE).min(bytes.len());
                out.extend_from_slice(bytes.get(start..end).unwrap_or_default());
                Ok(())
            }
        }
    }

    /// Draws a key and encrypts the file once, without keeping the ciphertext, to know its tag and its hashes. `told`
    /// hears how many bytes are done, and says whether to go on. Blocks for the time that reading takes.
    pub(super) fn plan(&mut self, told: impl Fn(u64) -> bool) -> Result<OpenPlan, Trouble> {
        let size = self.size();
        if size > gcm::MAX_PLAINTEXT {
            return Err(Trouble::fails(
                "The file is larger than can be encrypted in one piece (64 GiB)",
            ));
        }
        let (mut key, mut nonce) = ([0; gcm::KEY_LEN], [0; gcm::NONCE_LEN]);
        random::fill(&mut key).map_err(|error| Trouble::fails(error.to_string()))?;
        random::fill(&mut nonce).map_err(|error| Trouble::fails(error.to_string()))?;
        let key = FileKey::new(&key, &nonce).ok_or_else(Trouble::cipher)?;
        let mut cipher = key.cipher(0).map_err(|_| Trouble::cipher())?;
        let mut authenticator = key.authenticator(&[]).map_err(|_| Trouble::cipher())?;
        let mut whole = Context::new(&SHA256);
        let (mut pieces, mut plain, mut sealed, mut done) = (Vec::new(), Vec::new(), Vec::new(), 0_u64);
        while done < size {
            // Shorter than it was a moment ago: somebody writes to it.
            self.read(done, &mut plain)
                .map_err(|error| Trouble::reading(&error))?;
            cipher.apply(&plain, &mut sealed).map_err(|_| Trouble::cipher())?;
            authenticator.update(&sealed);
            whole.update(&sealed);
            pieces.push(sha256(&sealed)?);
            done = done.saturating_add(plain.len() as u64);
            if !told(done) {
                return Err(Trouble::Stopped);
            }
        }
        let tag = authenticator.tag();
        whole.update(&tag);
        let hash = <[u8; 32]>::try_from(whole.finish().as_ref()).map_err(|_| Trouble::cipher())?;
        Ok(OpenPlan {
            key,
            tag,
            hash,
            size,
            pieces,
        })
    }

    /// The bytes to upload from `offset` to the end of its piece, in the plan's ciphertext or not at all. Blocks.
    pub(super) fn sealed(&mut self, plan: &OpenPlan, offset: u64) -> Result<Vec<u8>, Trouble> {
        if self.size() != plan.size {
            return Err(Trouble::changed());
        }
        // What is left of the tag comes with the last piece, wherever it begins.
        let number = offset.min(plan.size.saturating_sub(1)) / PIECE as u64;
        let start = number.saturating_mul(PIECE as u64);
        let mut sealed = Vec::new();
        if start < plan.size {
            let mut plain = Vec::new();
            self.read(start, &mut plain)
                .map_err(|error| Trouble::reading(&error))?;
            let mut cipher = plan.key.cipher(start).map_err(|_| Trouble::cipher())?;
            cipher.apply(&plain, &mut sealed).map_err(|_| Trouble::cipher())?;
            let expected = usize::try_from(number)
                .ok()
                .and_then(|number| plan.pieces.get(number));
            if expected != Some(&sha256(&sealed)?) {
                return Err(Trouble::changed());
            }
        }
        if start.saturating_add(sealed.len() as u64) == plan.size {
            sealed.extend_from_slice(&plan.tag);
        }
        let behind = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
        Ok(sealed.split_off(behind.min(sealed.len())))
    }
}

/// Opens what is a file: whoever opens a pipe into which nobody writes is not heard of again.
fn open(path: &Path) -> io::Result<File> {
    stamp(&fs::metadata(path)?)?;
    File::open(path)
}

fn stamp(metadata: &Metadata) -> io::Result<Stamp> {
    if !metadata.is_file() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let modified = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Stamp {
        size: metadata.len(),
        modified: modified.as_nanos(),
    })
}

fn sha256(bytes: &[u8]) -> Result<[u8; 32], Trouble> {
    digest(&SHA256, bytes)
        .as_ref()
        .try_into()
        .map_err(|_| Trouble::cipher())
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )]

    use std::io::Write as _;

    use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    use super::*;

    fn file(length: usize) -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut bytes = vec![0; length];
        random::fill(&mut bytes).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        (folder, path, bytes)
    }

    fn open(path: &Path) -> Source {
        let looked = look(path).unwrap();
        Source::open(path, &looked.stamp, "", true).unwrap_or_else(|_| panic!("opens"))
    }

    #[test]
    fn what_is_uploaded_from_any_offset_is_one_aead_message() {
        for length in [
            0,
            1,
            15,
            16,
            PIECE - 16,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            2 * PIECE,
            2 * PIECE + 77,
        ] {
            let (_folder, path, plaintext) = file(length);
            let plan = open(&path).plan(|_| true).unwrap();
            let plan = plan.close().open().unwrap();
            let aead = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, plan.key.key()).unwrap());
            let mut expected = plaintext;
            let nonce = Nonce::assume_unique_for_key(*plan.key.nonce());
            aead.seal_in_place_append_tag(nonce, Aad::empty(), &mut expected)
                .unwrap();
            assert_eq!(sha256(&expected).unwrap(), plan.hash, "{length}");
            assert_eq!(plan.total(), expected.len() as u64);
            let mut source = open(&path);
            let mut uploaded = Vec::new();
            while (uploaded.len() as u64) < plan.total() {
                let piece = source.sealed(&plan, uploaded.len() as u64).unwrap();
                assert!(!piece.is_empty() && piece.len() <= PIECE + gcm::TAG_LEN);
                uploaded.extend_from_slice(&piece);
            }
            assert_eq!(uploaded, expected, "{length}");
            for offset in [1, 7, length / 2, length, length + 3] {
                let piece = source.sealed(&plan, offset as u64).unwrap();
                let end = (offset + piece.len()).min(expected.len());
                assert_eq!(piece, expected[offset.min(end)..end], "{length} from {offset}");
            }
        }
    }

    #[test]
    fn another_text_is_never_encrypted_under_the_same_key() {
        let (_folder, path, _) = file(PIECE + 100);
        let stamp = look(&path).unwrap().stamp;
        let plan = open(&path).plan(|_| true).unwrap();
        // As somebody would who restores the time of the last change.
        let mut changed = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        changed.seek(SeekFrom::Start(PIECE as u64 + 50)).unwrap();
        changed.write_all(b"x").unwrap();
        changed
            .set_modified(
                UNIX_EPOCH + std::time::Duration::from_nanos(u64::try_from(stamp.modified).unwrap()),
            )
            .unwrap();
        drop(changed);
        let mut source = open(&path);
        assert!(source.sealed(&plan, 0).is_ok(), "the first piece is as it was");
        assert!(matches!(
            source.sealed(&plan, PIECE as u64),
            Err(Trouble::Fails(_))
        ));
        std::fs::write(&path, b"shorter").unwrap();
        assert!(Source::open(&path, &stamp, "", true).is_err());
    }

    #[test]
    fn pictures_are_sent_without_their_metadata() {
        let (folder, path, _) = file(1);
        std::fs::write(&path, b"\xff\xd8\xff\xfe\0\x08secret\xff\xd9").unwrap();
        let looked = look(&path).unwrap();
        assert_eq!(looked.media_type, media::JPEG);
        let open = |keep| Source::open(&path, &looked.stamp, looked.media_type, keep);
        assert_eq!(open(false).unwrap_or_else(|_| panic!("opens")).size(), 4);
        assert_eq!(open(true).unwrap_or_else(|_| panic!("opens")).size(), 14);
        std::fs::write(&path, b"\xff\xd8\xff\xfe\0\x08sec").unwrap();
        let looked = look(&path).unwrap();
        assert!(
            Source::open(&path, &looked.stamp, looked.media_type, false).is_err(),
            "damaged"
        );
        assert!(look(folder.path()).is_err(), "a folder");
    }
}
