//! A file on its way from its provider to its place.
//!
//! ```text
//! .NAME.N.sabir-part   ciphertext, as far as it came       hash compared
//! .NAME.N.sabir-new    plaintext, while it is decrypted    tag compared, fsync
//! NAME                 its place, in one step; what is there already stays unless the person said otherwise
//! ```
//!
//! Both lie beside the destination, so that the last step is within one file system, and are readable to this user alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use sabir_wire::client_api::{AssetUrl, path};

use super::gcm::TAG_LEN;
use super::record::{KeptPart, Saving, TransferState};
use super::{Progress, Trouble, Work, blocking};
use crate::transport::TransportError;

/// Read, decrypted and written at a time.
const BLOCK: usize = 256 << 10;

/// The files of one transfer.
#[derive(Debug, Clone)]
struct Places {
    to: PathBuf,
    part: PathBuf,
    new: PathBuf,
}

impl Places {
    fn of(to: &Path, transfer: u64) -> Self {
        let beside = |ending: &str| {
            let mut name = std::ffi::OsString::from(".");
            name.push(to.file_name().unwrap_or_default());
            name.push(format!(".{transfer}.{ending}"));
            to.with_file_name(name)
        };
        Self {
            to: to.to_owned(),
            part: beside("sabir-part"),
            new: beside("sabir-new"),
        }
    }

    fn tidy(&self) {
        for path in [&self.part, &self.new] {
            // It may not be there.
            let _ = fs::remove_file(path);
        }
    }
}

/// Fetches what is missing, checks it, decrypts it, and puts it into its place. Doing it again is fine.
pub(super) async fn save(work: &Work, saving: &Saving) -> Result<(), Trouble> {
    let places = Places::of(&saving.to, work.number);
    let (look, overwrite) = (places.clone(), saving.overwrite);
    let placed = blocking(move || {
        if is_placed(&look) {
            return Ok(true);
        }
        if overwrite {
            Ok(false)
        } else {
            free(&look.to).map(|()| false)
        }
    })
    .await?;
    if placed {
        return Ok(());
    }
    let url = AssetUrl::parse(&saving.part.url);
    let url = url.ok_or_else(|| Trouble::fails("The file is not at a provider of this network"))?;
    let resumed = fetch(work, &url, &saving.part, &places).await?;
    let progress = work.progress(TransferState::Preparing, 0, 0);
    let (part, hash) = (places.part.clone(), saving.part.hash);
    let checked = blocking(move || {
        let checked = has_hash(&part, &hash, &progress)?;
        if !checked {
            fs::remove_file(&part).map_err(|error| Trouble::local("It cannot be deleted", &error))?;
        }
        Ok(checked)
    })
    .await?;
    if !checked && resumed {
        // What came before we were interrupted may be to blame: once more, from the beginning.
        return Err(Trouble::Waits(
            None,
            "what came has another hash; it is fetched again".to_owned(),
        ));
    }
    if !checked {
        return Err(Trouble::fails(
            "What the provider sent is not the file that the message names",
        ));
    }
    let (saving, progress) = (
        saving.clone(),
        work.progress(TransferState::Preparing, 0, saving.part.size),
    );
    blocking(move || decrypt(&places, &saving, &progress)).await
}

/// Deletes what is left beside the place of a transfer that is over. Blocks.
pub(super) fn tidy(to: &Path, transfer: u64) {
    Places::of(to, transfer).tidy();
}

/// Lets nobody else read what is made.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Whether the file got its place, and we were interrupted before that was written down. Where two names of one file cannot
/// be told from two files, the next attempt says that the place is taken.
#[cfg(not(unix))]
fn is_placed(_: &Places) -> bool {
    false
}

/// As above.
#[cfg(unix)]
fn is_placed(places: &Places) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (
        fs::symlink_metadata(&places.new),
        fs::symlink_metadata(&places.to),
    ) {
        (Ok(new), Ok(to)) => (new.dev(), new.ino()) == (to.dev(), to.ino()),
        _ => false,
    }
}

/// Fetches the ciphertext behind what is there. Says whether something was there.
async fn fetch(work: &Work, url: &AssetUrl, part: &KeptPart, places: &Places) -> Result<bool, Trouble> {
    let path = places.part.clone();
    let (mut file, mut there) = blocking(move || {
        let mut options = OpenOptions::new();
        let file = private(options.append(true).create(true)).open(&path);
        let file = file.map_err(|error| Trouble::local("It cannot be written there", &error))?;
        let length = file
            .metadata()
            .map_err(|error| Trouble::local("It cannot be written there", &error))?
            .len();
        Ok((file, length))
    })
    .await?;
    let resumed = there > 0;
    let call = format!("{}{}", path::DOWNLOAD, url.to_path_segment());
    let mut download = match work.transport.download(&call, there).await {
        // It was all there.
        Err(TransportError::Refused { status: 416, .. }) if resumed => return Ok(resumed),
        download => download?,
    };
    // The size in the message is the sender's word: with the tag, or as some count it, of what is at the URL.
    let with_tag = part.size.saturating_add(TAG_LEN as u64);
    if part.size > 0 && download.length != with_tag && download.length != part.size {
        return Err(Trouble::fails("The file has another size than the message says"));
    }
    if download.offset != there {
        if download.offset != 0 {
            return Err(Trouble::Waits(None, "the provider sends another part".to_owned()));
        }
        file = blocking(move || {
            file.set_len(0)
                .map(|()| file)
                .map_err(|error| Trouble::local("It cannot be written", &error))
        })
        .await?;
        there = 0;
    }
    let progress = work.progress(TransferState::Moving, there, download.length);
    let mut block = Vec::with_capacity(BLOCK);
    let ended = loop {
        match download.next().await {
            Ok(Some(bytes)) => {
                there = there.saturating_add(bytes.len() as u64);
                if there > download.length {
                    return Err(Trouble::Waits(
                        None,
                        "the provider sends more than it said".to_owned(),
                    ));
                }
                block.extend_from_slice(&bytes);
                if block.len() >= BLOCK {
                    (file, block) = write(file, block).await?;
                    progress.set(there);
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // What came counts, however it ended.
    write(file, block).await?;
    progress.set(there);
    ended?;
    if there < download.length {
        return Err(Trouble::Waits(
            None,
            "the provider sent less than it said".to_owned(),
        ));
    }
    Ok(resumed)
}

async fn write(mut file: File, mut block: Vec<u8>) -> Result<(File, Vec<u8>), Trouble> {
    blocking(move || {
        file.write_all(&block)
            .map_err(|error| Trouble::local("It cannot be written", &error))?;
        block.clear();
        Ok((file, block))
    })
    .await
}

/// Refuses a place that is taken, before anything is fetched for it.
fn free(to: &Path) -> Result<(), Trouble> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(taken()),
        Err(_) => Ok(()),
    }
}

fn taken() -> Trouble {
    Trouble::fails(
        "There is a file of this name already; choose another name, or say that it is to be replaced",
    )
}

/// The hash is of what the URL gives, so it is compared before anything is decrypted
/// (draft-ietf-mimi-content §4.5).
fn has_hash(path: &Path, expected: &[u8; 32], progress: &Progress) -> Result<bool, Trouble> {
    let lost = |error: io::Error| Trouble::local("What was fetched cannot be read", &error);
    let mut file = File::open(path).map_err(lost)?;
    progress.total(file.metadata().map_err(lost)?.len());
    let (mut context, mut block, mut done) = (Context::new(&SHA256), vec![0; BLOCK], 0_u64);
    loop {
        let read = file.read(&mut block).map_err(lost)?;
        if read == 0 {
            return Ok(context.finish().as_ref() == expected);
        }
        context.update(block.get(..read).unwrap_or_default());
        done = done.saturating_add(read as u64);
        progress.set(done);
    }
}

fn decrypt(places: &Places, saving: &Saving, progress: &Progress) -> Result<(), Trouble> {
    let lost = |error: io::Error| Trouble::local("The file cannot be written", &error);
    let (key, aad) = saving.part.key().ok_or_else(Trouble::cipher)?;
    let mut from = File::open(&places.part).map_err(lost)?;
    let length = from.metadata().map_err(lost)?.len();
    let size = length.checked_sub(TAG_LEN as u64);
    let size = size.ok_or_else(|| Trouble::fails("The file is shorter than an encrypted file can be"))?;
    let mut options = OpenOptions::new();
    let mut to = private(options.write(true).create(true).truncate(true))
        .open(&places.new)
        .map_err(lost)?;
    progress.total(size);
    let mut cipher = key.cipher(0).map_err(|_| Trouble::cipher())?;
    let mut authenticator = key.authenticator(&aad).map_err(|_| Trouble::cipher())?;
    let (mut block, mut plain, mut done) = (vec![0; BLOCK], Vec::new(), 0_u64);
    while done < size {
        let wanted = usize::try_from(size.saturating_sub(done))
            .unwrap_or(usize::MAX)
            .min(BLOCK);
        let sealed = block.get_mut(..wanted).unwrap_or_default();
        from.read_exact(sealed).map_err(lost)?;
        authenticator.update(sealed);
        cipher.apply(sealed, &mut plain).map_err(|_| Trouble::cipher())?;
        to.write_all(&plain).map_err(lost)?;
        done = done.saturating_add(wanted as u64);
        progress.set(done);
    }
    let mut tag = [0; TAG_LEN];
    from.seek(SeekFrom::Start(size)).map_err(lost)?;
    from.read_exact(&mut tag).map_err(lost)?;
    if !authenticator.verify(&tag) {
        return Err(Trouble::fails(
            "The file was not encrypted with the key that the message names",
        ));
    }
    to.sync_all().map_err(lost)?;
    drop(to);
    place(places, saving.overwrite)
}

/// One step: the whole file is there, or nothing is.
fn place(places: &Places, overwrite: bool) -> Result<(), Trouble> {
    let lost = |error: io::Error| Trouble::local("The file cannot be put into its place", &error);
    if overwrite {
        fs::rename(&places.new, &places.to).map_err(lost)?;
    } else {
        // A link is never made over something, unlike a new name.
        match fs::hard_link(&places.new, &places.to) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(taken()),
            // A file system without links: what comes between this look and the new name would be lost.
            Err(_) => {
                free(&places.to)?;
                fs::rename(&places.new, &places.to).map_err(lost)?;
            }
        }
    }
    if cfg!(unix)
        && let Some(folder) = places.to.parent()
    {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(lost)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_there_stays_unless_it_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("name.txt");
        let places = Places::of(&to, 7);
        assert_eq!(places.part, folder.path().join(".name.txt.7.sabir-part"));
        let new = || fs::write(&places.new, b"new").unwrap();
        new();
        place(&places, false).unwrap_or_else(|_| panic!("free"));
        assert!(is_placed(&places));
        places.tidy();
        assert_eq!(fs::read(&to).unwrap(), b"new");
        fs::write(&to, b"old").unwrap();
        new();
        assert!(place(&places, false).is_err() && free(&to).is_err());
        assert_eq!(fs::read(&to).unwrap(), b"old");
        place(&places, true).unwrap_or_else(|_| panic!("replaced"));
        assert_eq!(fs::read(&to).unwrap(), b"new");
        // A link that leads nowhere is something, too.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/nowhere", &link).unwrap();
        assert!(free(&link).is_err());
    }
}
