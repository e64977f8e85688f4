//! Files: out of this machine into messages, and out of messages onto this machine.
//!
//! ```text
//!  send_file ──> plan: read once, key, tag, hashes (sealed record) ──> upload, resumed ──> message + record, one transaction
//!  save_file ──> fetch through the own provider, resumed ──> hash ──> decrypt, tag ──> its place, in one step
//! ```
//!
//! A file is one AEAD message (draft-ietf-mimi-content §4.5), encrypted and decrypted piece by piece ([`gcm`]), so memory
//! does not grow with it. What is uploaded is what was planned, byte for byte: a piece whose ciphertext has another hash is
//! never sent, so no two texts meet under one key and nonce, whatever happens to the file meanwhile.
//!
//! A transfer is a record in the sealed store and a task. The task may be killed at any await; the next one asks the
//! provider, or the length of a temporary file, how far it was.

mod gcm;
mod image;
mod listing;
mod media;
mod name;
mod record;
mod save;
mod source;
mod task;
mod trouble;
mod upload;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

pub use listing::FileInfo;
pub use name::sanitised;
pub use record::{Direction, Transfer, TransferState};

pub(crate) use listing::{compose, find, info, is_shown, listing};
pub(crate) use record::Record;

use crate::account::now;
use crate::sync::{ClientError, MAX_TEXT, Records};
use crate::transport::{Timing, Transport};
use record::{KeptPart, Saving, Sending, Task};
use trouble::Trouble;

/// Transfers that move at once; others wait for their turn.
const AT_ONCE: usize = 2;
/// Records of transfers that are over are kept for those who ask, so many.
const KEPT: usize = 100;

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFile {
    /// The file: an absolute path.
    pub path: PathBuf,
    /// Words to go with it.
    pub text: Option<String>,
    /// Send a picture as it is, with what it says of place, time and camera.
    pub keep_metadata: bool,
    /// A text of the caller's choice. The same text again means the same transfer, also when it is over: for a caller who
    /// does not know whether he was heard.
    pub key: Option<String>,
}

/// What to save, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveFile {
    /// The message: its number in this profile, or its message id.
    pub message: String,
    /// Which of its files, from 1.
    pub number: u32,
    /// An absolute path: a folder, where the file gets the name that the sender suggests, or the file itself.
    pub path: PathBuf,
    /// Replace a file that is there.
    pub overwrite: bool,
}

/// All transfers of a profile. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Files(Arc<Shared>);

struct Shared {
    records: Records,
    transport: Transport,
    timing: Timing,
    stopped: watch::Receiver<bool>,
    places: Arc<Semaphore>,
    known: Mutex<BTreeMap<u64, Entry>>,
    /// Held from the look whether a transfer is known until it is, so that the same one is not begun twice.
    beginning: tokio::sync::Mutex<()>,
    /// Raised whenever a transfer's state changes.
    changed: watch::Sender<u64>,
}

struct Entry {
    record: Record,
    progress: Arc<Counter>,
}

/// Bytes of the present step.
#[derive(Debug, Default)]
struct Counter {
    done: AtomicU64,
    total: AtomicU64,
}

/// What the task of one transfer works with.
struct Work {
    number: u64,
    transport: Transport,
    stopped: watch::Receiver<bool>,
    files: Files,
}

/// Where a step tells how far it is.
#[derive(Debug, Clone)]
struct Progress(Arc<Counter>);

impl Progress {
    fn set(&self, done: u64) {
        self.0.done.store(done, Ordering::Relaxed);
    }

    fn total(&self, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    /// `transport` is one of their own: an upload that fails must not take the event stream's connection along.
    pub(crate) fn new(
        records: Records,
        transport: Transport,
        timing: Timing,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Shared {
            records,
            transport,
            timing,
            stopped,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            known: Mutex::default(),
            beginning: tokio::sync::Mutex::default(),
            changed: watch::Sender::new(0),
        }))
    }

    /// Goes on with what was under way when the profile was last open.
    pub(crate) async fn resume(&self) -> Result<(), ClientError> {
        for (number, record) in self.0.records.all().await? {
            let over = record.view.state.is_over();
            self.insert(number, record);
            if !over {
                self.start(number);
            }
        }
        Ok(())
    }

    /// Begins to send a file, or finds the transfer of the same file to the same people that is under way.
    pub(crate) async fn send(&self, to: &str, file: SendFile) -> Result<Transfer, ClientError> {
        let SendFile {
            path,
            text,
            keep_metadata,
            key,
        } = file;
        let asked = |record: &Record| matches!(&record.task, Task::Send(sending) if key.is_some() && sending.key == key);
        // Before the file is looked at, which need not be there any more.
        if let Some(number) = self.find(asked) {
            return self.view(number).ok_or(ClientError::NoTransfer);
        }
        if text
            .as_ref()
            .is_some_and(|text| text.is_empty() || text.len() > MAX_TEXT)
        {
            return Err(ClientError::Text);
        }
        let refused = |reason: String| ClientError::File(reason);
        let path = absolute(&path)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = sanitised(&name.unwrap_or_default());
        let shown = path
            .to_str()
            .ok_or_else(|| refused("the path is not UTF-8".to_owned()))?
            .to_owned();
        self.0.records.check_address(to.to_owned(), None).await?;
        let looking = path.clone();
        let looked = tokio::task::spawn_blocking(move || source::look(&looking)).await;
        let looked = looked.map_err(|_| ClientError::Stopped)?;
        let looked = looked.map_err(|error| refused(format!("the file cannot be read: {error}")))?;
        // Before anything is uploaded; where it lies is asked again when it does.
        let facts = (looked.media_type.to_owned(), looked.stamp.size);
        self.0.records.check_address(to.to_owned(), Some(facts)).await?;
        let same = |sending: &Sending| {
            sending.to == to
                && sending.text == text
                && sending.keep_metadata == keep_metadata
                && sending.stamp == looked.stamp
        };
        let _one_at_a_time = self.0.beginning.lock().await;
        let under_way = self.find(|record| {
            let again = matches!(&record.task, Task::Send(sending) if same(sending));
            asked(record) || (again && record.view.path == shown && !record.view.state.is_over())
        });
        if let Some(number) = under_way {
            return self.view(number).ok_or(ClientError::NoTransfer);
        }
        let number = self.0.records.next().await?;
        let task = Task::Send(Box::new(Sending {
            to: to.to_owned(),
            text,
            keep_metadata,
            stamp: looked.stamp,
            key,
            plan: None,
        }));
        let view = Transfer {
            transfer: number,
            direction: Direction::Send,
            state: TransferState::Waiting,
            path: shown,
            name,
            media_type: looked.media_type.to_owned(),
            bytes_done: 0,
            bytes_total: looked.stamp.size,
            problem: None,
            local_id: None,
        };
        self.begin(number, view, task).await
    }

    /// Begins to save a file of a message, or finds the transfer to the same place that is under way.
    pub(crate) async fn save(&self, file: SaveFile) -> Result<Transfer, ClientError> {
        let (part, told) = self.0.records.file(file.message.clone(), file.number).await?;
        let kept = KeptPart::of(&part).map_err(|reason| ClientError::File(reason.to_owned()))?;
        let path = absolute(&file.path)?;
        let name = told.name.clone();
        let to = tokio::task::spawn_blocking(move || if path.is_dir() { path.join(name) } else { path });
        let to = to.await.map_err(|_| ClientError::Stopped)?;
        let shown = to
            .to_str()
            .ok_or_else(|| ClientError::File("the path is not UTF-8".to_owned()))?
            .to_owned();
        let same = |saving: &Saving| {
            saving.to == to && saving.part.url == kept.url && saving.overwrite == file.overwrite
        };
        let _one_at_a_time = self.0.beginning.lock().await;
        let under_way = self.find(|record| {
            let again = matches!(&record.task, Task::Save(saving) if same(saving));
            again && !record.view.state.is_over()
        });
        if let Some(number) = under_way {
            return self.view(number).ok_or(ClientError::NoTransfer);
        }
        let number = self.0.records.next().await?;
        let view = Transfer {
            transfer: number,
            direction: Direction::Save,
            state: TransferState::Waiting,
            path: shown,
            name: told.name,
            media_type: told.media_type,
            bytes_done: 0,
            bytes_total: kept.size,
            problem: None,
            local_id: None,
        };
        let task = Task::Save(Box::new(Saving {
            to,
            overwrite: file.overwrite,
            part: kept,
        }));
        self.begin(number, view, task).await
    }

    /// How a transfer stands.
    pub(crate) fn view(&self, number: u64) -> Option<Transfer> {
        let known = self.known();
        let Entry { record, progress } = known.get(&number)?;
        let mut view = record.view.clone();
        if !view.state.is_over() && view.state != TransferState::Waiting {
            view.bytes_done = progress.done.load(Ordering::Relaxed);
            view.bytes_total = progress.total.load(Ordering::Relaxed);
        }
        Some(view)
    }

    /// Waits until a transfer is over, at most `patience`.
    pub(crate) async fn settled(&self, number: u64, patience: Duration) -> Option<Transfer> {
        let mut changed = self.0.changed.subscribe();
        let late = sleep(patience);
        tokio::pin!(late);
        loop {
            let view = self.view(number)?;
            if view.state.is_over() {
                return Some(view);
            }
            tokio::select! {
                () = &mut late => return self.view(number),
                _ = changed.changed() => {}
            }
        }
    }

    /// Transfers that are not over.
    pub(crate) fn under_way(&self) -> usize {
        self.known()
            .values()
            .filter(|entry| !entry.record.view.state.is_over())
            .count()
    }

    async fn begin(&self, number: u64, view: Transfer, task: Task) -> Result<Transfer, ClientError> {
        let begun = now()?;
        let record = Record { view, task, begun };
        let gone = {
            let known = self.known();
            let over: Vec<u64> = known
                .iter()
                .filter(|(_, entry)| entry.record.view.state.is_over())
                .map(|(number, _)| *number)
                .collect();
            let surplus = over.len().saturating_sub(KEPT);
            over.into_iter().take(surplus).collect::<Vec<_>>()
        };
        let view = record.view.clone();
        self.0.records.write(number, record.clone(), gone.clone()).await?;
        self.known().retain(|number, _| !gone.contains(number));
        self.insert(number, record);
        self.start(number);
        Ok(view)
    }

    fn insert(&self, number: u64, record: Record) {
        let progress = Arc::default();
        self.known().insert(number, Entry { record, progress });
    }

    /// The transfer of which `is_it` holds.
    fn find(&self, is_it: impl Fn(&Record) -> bool) -> Option<u64> {
        let known = self.known();
        let found = known.iter().find(|(_, entry)| is_it(&entry.record));
        found.map(|(number, _)| *number)
    }

    /// Changes what is shown of a transfer. After a restart it is as it was written down last.
    fn change(&self, number: u64, change: impl FnOnce(&mut Transfer)) {
        if let Some(entry) = self.known().get_mut(&number) {
            change(&mut entry.record.view);
        }
        self.tell();
    }

    fn tell(&self) {
        self.0
            .changed
            .send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        // Every change of an entry is whole before anything can panic.
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    /// The transfer as it is shown.
    fn view(&self) -> Transfer {
        let known = self.files.known();
        let entry = known.get(&self.number);
        entry
            .map(|entry| entry.record.view.clone())
            .unwrap_or_else(|| Transfer {
                transfer: self.number,
                direction: Direction::Send,
                state: TransferState::Failed,
                path: String::new(),
                name: String::new(),
                media_type: String::new(),
                bytes_done: 0,
                bytes_total: 0,
                problem: None,
                local_id: None,
            })
    }

    /// Says what is done now, and gives what to tell its progress with.
    fn progress(&self, state: TransferState, done: u64, total: u64) -> Progress {
        let mut known = self.files.known();
        let counter = known.get_mut(&self.number).map(|entry| {
            entry.record.view.state = state;
            entry.record.view.problem = None;
            Arc::clone(&entry.progress)
        });
        drop(known);
        let progress = Progress(counter.unwrap_or_default());
        progress.set(done);
        progress.total(total);
        self.files.tell();
        progress
    }
}

/// The agent's working folder is nobody's wish.
fn absolute(path: &Path) -> Result<PathBuf, ClientError> {
    if path.is_absolute() && path.file_name().is_some() {
        Ok(path.to_owned())
    } else {
        Err(ClientError::File(
            "the path is not an absolute path of a file".to_owned(),
        ))
    }
}

/// Work on files, away from the threads that keep connections going.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Trouble::Stopped),
    }
}
