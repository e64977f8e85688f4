//! A provider's storage whose process may die between any two commands.
//!
//! ```text
//! handlers --> FragileStore --> MemoryStore (the disk: outlives the process)
//!                  | counts commands: at the chosen one the process is dead, before or after it took effect
//!                  +-- watches what was appended: sequence numbers of a room are dense
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sabir_store::*;
use tokio::sync::broadcast;

use super::bugs::{Bug, StoreBugs};

/// When a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The command did not happen.
    Before,
    /// It did, and nobody was told.
    After,
}

/// What is to happen at a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// The process dies.
    Kill(Moment),
    /// The command fails; the process goes on.
    Fail(Moment),
}

type OnDeath = Box<dyn Fn(&'static str, Moment) + Send + Sync>;
type OnWrong = Box<dyn Fn(String) + Send + Sync>;

/// The storage of one process.
pub(super) struct FragileStore {
    disk: MemoryStore,
    alive: Arc<AtomicBool>,
    blows: Mutex<BTreeMap<u64, Blow>>,
    count: Mutex<u64>,
    on_death: OnDeath,
    on_wrong: OnWrong,
    bugs: StoreBugs,
}

impl fmt::Debug for FragileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FragileStore(..)")
    }
}

impl FragileStore {
    /// The storage of a process that lives as long as `alive` says.
    pub(super) fn new(
        disk: MemoryStore,
        alive: Arc<AtomicBool>,
        bug: Option<Bug>,
        on_death: OnDeath,
        on_wrong: OnWrong,
    ) -> Self {
        Self {
            disk,
            alive,
            blows: Mutex::default(),
            count: Mutex::new(0),
            on_death,
            on_wrong,
            bugs: StoreBugs::new(bug),
        }
    }

    /// Has something happen at the `nth` command from now; 1 is the next one.
    pub(super) fn strike(&self, nth: u64, blow: Blow) {
        let at = *self.count.lock().unwrap() + nth;
        self.blows.lock().unwrap().insert(at, blow);
    }

    /// Nothing more is to happen.
    pub(super) fn spare(&self) {
        self.blows.lock().unwrap().clear();
    }

    fn write<T>(&self, command: &'static str, act: impl FnOnce(&MemoryStore) -> Pending<T>) -> Pending<T> {
        let unavailable = |maybe_applied| {
            Pending::ready(Err(StoreError::Unavailable {
                command,
                maybe_applied,
                source: None,
            }))
        };
        if !self.alive.load(Ordering::Relaxed) {
            return unavailable(false);
        }
        let blow = {
            let mut count = self.count.lock().unwrap();
            *count += 1;
            self.blows.lock().unwrap().remove(&count)
        };
        let Some(blow) = blow else { return act(&self.disk) };
        let (Blow::Kill(moment) | Blow::Fail(moment)) = blow;
        if moment == Moment::After {
            drop(act(&self.disk));
        }
        if let Blow::Kill(_) = blow {
            self.alive.store(false, Ordering::Relaxed);
            (self.on_death)(command, moment);
        }
        unavailable(moment == Moment::After)
    }

    fn read<T>(
        &self,
        command: &'static str,
        look: impl FnOnce(&MemoryStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.alive.load(Ordering::Relaxed) {
            return look(&self.disk);
        }
        Err(StoreError::Unavailable {
            command,
            maybe_applied: false,
            source: None,
        })
    }

    /// Writes to a room, and looks at where its events were put.
    fn room_write(
        &self,
        command: &'static str,
        before: Option<RoomVersion>,
        act: impl FnOnce(&MemoryStore) -> Pending<Once<Applied>>,
    ) -> Pending<Once<Applied>> {
        let mut next = before.map_or(FIRST_SEQ, |version| version.next_seq);
        let result = self.write(command, act).wait();
        if let Ok(Once::Done(applied)) = &result {
            for placed in &applied.events {
                match *placed {
                    Placed::Stored(seq) if seq == next => next += 1,
                    Placed::Stored(seq) => {
                        (self.on_wrong)(format!("{command} put an event at {seq}, not {next}"))
                    }
                    Placed::Duplicate(_) => {}
                }
            }
            if applied.version.next_seq != next {
                (self.on_wrong)(format!(
                    "{command} left the next place at {}",
                    applied.version.next_seq
                ));
            }
        }
        Pending::ready(result)
    }
}

/// Passes a question on.
macro_rules! reads {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
            self.read(stringify!($name), |disk| disk.$name($($argument),*))
        })*
    };
}

/// Passes a command on.
macro_rules! writes {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $kind),*) -> Pending<$answer> {
            self.write(stringify!($name), |disk| disk.$name($($argument),*))
        })*
    };
}

impl Store for FragileStore {
    fn create_room(&self, command: CreateRoom) -> Pending<Once<Applied>> {
        self.room_write("create_room", None, |disk| disk.create_room(command))
    }

    fn apply(&self, command: Apply) -> Pending<Once<Applied>> {
        self.room_write("apply", Some(command.expect), |disk| {
            self.bugs.apply(disk, command)
        })
    }

    fn accept_fanout(&self, command: AcceptFanout) -> Pending<Once<Applied>> {
        self.room_write("accept_fanout", command.expect, |disk| {
            self.bugs.accept_fanout(disk, command)
        })
    }

    fn answered(&self, origin: &str, request_hash: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("answered", |disk| self.bugs.answered(disk, origin, request_hash))
    }

    fn device_read(
        &self,
        device: &str,
        after_cursor: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<DeviceItem>, StoreError> {
        self.read("device_read", |disk| {
            self.bugs
                .device_read(disk.device_read(device, after_cursor, limit, max_bytes)?)
        })
    }

    fn device_ack(&self, device: &str, cursor: u64) -> Pending<u64> {
        self.write("device_ack", |disk| self.bugs.device_ack(disk, device, cursor))
    }

    fn outbox_ack(&self, command: OutboxAck) -> Pending<AckOutcome> {
        self.write("outbox_ack", |disk| self.bugs.outbox_ack(disk, command))
    }

    fn take_key_packages(&self, command: TakeKeyPackages) -> Pending<Vec<TakenKeyPackage>> {
        self.write("take_key_packages", |disk| {
            self.bugs.take_key_packages(disk, command)
        })
    }

    fn record_routes(&self, command: RecordRoutes) -> Pending<()> {
        self.write("record_routes", |disk| self.bugs.record_routes(disk, command))
    }

    reads! {
        load_room(room: &str) -> Option<RoomState>;
        list_rooms() -> BTreeMap<String, RoomHead>;
        room_log(room: &str, after_seq: u64, limit: usize) -> Vec<LogEntry>;
        seen_message(room: &str, message_hash: &Hash) -> Option<u64>;
        outbox_due(now: u64, each: usize) -> Vec<Due>;
        outbox_due_to(follower: &str, now: u64, limit: usize) -> Vec<Due>;
        outbox_due_after(now: u64) -> Option<u64>;
        outbox_batch(room: &str, follower: &str) -> Option<Batch>;
        count_key_packages(device: &str, fresh: Freshness) -> u64;
        count_key_packages_in(device: &str, suite: u16, fresh: Freshness) -> u64;
        peek_key_package(device: &str, suite: u16, fresh: Freshness) -> Option<KeyPackageRow>;
        route(reference: &[u8]) -> Option<Route>;
        list_accounts() -> Vec<Account>;
        account(user: &str) -> Option<Account>;
        devices(user: &str) -> Vec<Device>;
        device(client_uri: &str) -> Option<Device>;
        token(token_hash: &Hash, now: u64) -> Option<String>;
        setting(key: &str) -> Option<Vec<u8>>;
        expire(now: u64, retention: Retention) -> Expired;
        asset(id: &str) -> Option<Asset>;
        asset_bytes(owner: &str) -> u64;
        expired_assets(now: u64, limit: usize) -> Vec<String>;
    }

    writes! {
        outbox_defer(command: OutboxDefer) -> AckOutcome;
        outbox_expire(command: OutboxExpire) -> Vec<Dropped>;
        device_enqueue(command: Enqueue) -> Once<Vec<u64>>;
        publish_key_packages(command: PublishKeyPackages) -> Published;
        create_invite(command: CreateInvite) -> InviteOutcome;
        create_account(command: CreateAccount) -> NewAccountOutcome;
        recover_account(command: RecoverAccount) -> RecoverOutcome;
        add_device(command: AddDevice) -> DeviceOutcome;
        put_token(command: PutToken) -> ();
        revoke_tokens(client_uri: &str) -> u64;
        put_setting(key: &str, value: Vec<u8>) -> ();
        begin_asset(command: BeginAsset) -> BeginAssetOutcome;
        finish_asset(command: FinishAsset) -> Option<Asset>;
        give_up_asset(command: GiveUpAsset) -> bool;
        drop_assets(command: DropAssets) -> u64;
    }

    fn watch(&self) -> broadcast::Receiver<Hint> {
        self.disk.watch()
    }
}
