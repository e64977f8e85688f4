//! The in-memory model: the oracle of the contract test, and the storage of simulated providers.
//!
//! Written for being obviously right: every queue holds copies, every batch is a value, nothing is shared or cached.
//! Each command checks first and changes afterwards, so one that fails leaves nothing behind.
//!
//! Its "disk" outlives a handle: [`MemoryStore::reopen`] is a crash and a restart of the process. Faults are injected
//! into chosen writes, see [`Fault`].

mod account;
mod asset;
mod device;
mod expire;
mod handle;
mod key_package;
mod outbox;
mod room;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::types::{Hash, Hint};
use crate::{Pending, StoreError};

/// Provider storage in memory. Clones are handles to the same store.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    disk: Arc<Mutex<Disk>>,
    /// The opening that this handle belongs to; an older one is dead.
    opening: u64,
    hints: broadcast::Sender<Hint>,
}

/// How an injected failure looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The write fails and certainly did not happen.
    BeforeApply,
    /// The write becomes durable and then fails all the same (`maybe_applied`).
    AfterApply,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self {
            disk: Arc::default(),
            opening: 0,
            hints: broadcast::channel(HINTS_KEPT).0,
        }
    }

    /// Crash and restart: a handle to the same durable state. Handles from before fail from now on, and so do their
    /// hints. Injected faults that did not happen yet are forgotten.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let mut disk = self.lock();
        disk.opening = disk.opening.wrapping_add(1);
        disk.faults.clear();
        disk.full = false;
        let opening = disk.opening;
        drop(disk);
        Self {
            disk: Arc::clone(&self.disk),
            opening,
            hints: broadcast::channel(HINTS_KEPT).0,
        }
    }

    /// Makes the `nth` write from now fail (1 is the next one), whatever it is.
    pub fn fail_write(&self, nth: u64, fault: Fault) {
        let mut disk = self.lock();
        let number = disk.writes.saturating_add(nth);
        disk.faults.insert(number, fault);
    }

    /// A full disk: all writes fail, reads go on, until it is set to `false`.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// How many writes were tried so far, failed ones included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// Everything that is stored, as text: whoever compares two of them sees whether anything changed.
    #[must_use]
    pub fn everything(&self) -> String {
        format!("{:#?}", self.lock().state)
    }

    fn write<T>(
        &self,
        command: &'static str,
        checked: Result<(), StoreError>,
        act: impl FnOnce(&mut State, &mut Vec<Hint>) -> Result<T, StoreError>,
    ) -> Pending<T> {
        let mut disk = self.lock();
        disk.writes = disk.writes.saturating_add(1);
        let number = disk.writes;
        let fault = disk.faults.remove(&number);
        if disk.full || disk.opening != self.opening || fault == Some(Fault::BeforeApply) {
            return Pending::ready(Err(unavailable(command, false)));
        }
        let mut hints = Vec::new();
        let result = checked.and_then(|()| act(&mut disk.state, &mut hints));
        if fault == Some(Fault::AfterApply) {
            return Pending::ready(Err(unavailable(command, true)));
        }
        for hint in hints {
            // Nobody listening is fine: hints are lossy.
            let _ = self.hints.send(hint);
        }
        Pending::ready(result)
    }

    fn read<T>(&self, question: &'static str, look: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        let disk = self.lock();
        if disk.opening != self.opening {
            return Err(unavailable(question, false));
        }
        Ok(look(&disk.state))
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        // A panic of a test elsewhere does not make the model wrong: commands check before they change.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug, Default)]
struct Disk {
    state: State,
    opening: u64,
    writes: u64,
    faults: BTreeMap<u64, Fault>,
    full: bool,
}

#[derive(Debug, Default)]
struct State {
    rooms: BTreeMap<String, room::Room>,
    answers: BTreeMap<(String, Hash), room::KeptAnswer>,
    outboxes: BTreeMap<(String, String), outbox::Outbox>,
    queues: BTreeMap<String, device::Queue>,
    packages: BTreeMap<Vec<u8>, key_package::Package>,
    takes: BTreeMap<Hash, key_package::Take>,
    routes: BTreeMap<Vec<u8>, key_package::KeptRoute>,
    invites: BTreeMap<Hash, account::Invite>,
    accounts: BTreeMap<String, crate::Account>,
    devices: BTreeMap<String, crate::Device>,
    tokens: BTreeMap<Hash, account::Token>,
    settings: BTreeMap<String, Vec<u8>>,
    assets: BTreeMap<String, crate::Asset>,
}

fn unavailable(command: &'static str, maybe_applied: bool) -> StoreError {
    StoreError::Unavailable {
        command,
        maybe_applied,
        source: None,
    }
}

const HINTS_KEPT: usize = 1024;
