//! A client of the simulated world: the real conversation engine in a shell that does, step for step, what the keeper
//! and the workers of `sabir-client` do, on a disk in memory.
//!
//! ```text
//!  people --> send, intend --> engine --Effects--> one transaction of the disk --> model
//!                                ^                                                   |
//!   tasks of the process: event stream, one worker for each room, key packages, identities of providers
//! ```
//!
//! Invariants of the shell, as in life: a request is repeated byte for byte until it is answered; an entry's effects and
//! the cursor are one transaction; what waits for an identity holds back its room alone; nothing is told before it is
//! on disk.

mod account;
mod disk;
mod entries;
mod return_way;
mod shell;
mod tasks;
mod wishes;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use sabir_core::conversation::Conversation;
use sabir_mls::Device;
use sabir_mls::identity::{CaCertificate, TrustAnchors};
use sabir_wire::uri::{ClientUri, Domain, RoomUri, UserUri};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(super) use account::{Person, device_list};
pub(super) use disk::Died;

use super::bugs::Bug;
use super::cheats::false_ca;
use super::fate::Fate;
use super::provider::Clock;
use super::store::Moment;
use super::world::World;
use disk::{Disk, Op};

/// One client.
pub(super) struct Client {
    /// What the story calls it.
    pub(super) name: String,
    pub(super) user: UserUri,
    pub(super) uri: ClientUri,
    pub(super) home: Domain,
    device: Device,
    exporter: [u8; 32],
    clock: Arc<Clock>,
    fate: Fate,
    world: Weak<World>,
    disk: Mutex<Disk>,
    memory: Mutex<Memory>,
    up: AtomicBool,
    tasks: Mutex<JoinSet<()>>,
}

/// What dies with the process.
#[derive(Default)]
struct Memory {
    engines: BTreeMap<RoomUri, Conversation>,
    anchors: TrustAnchors,
    token: Option<String>,
    news: BTreeMap<RoomUri, Arc<Notify>>,
    /// Private halves of key packages that a planted bug keeps off the disk.
    unwritten: Vec<Op>,
    /// Wakes whoever looks after key packages.
    supply: Arc<Notify>,
}

impl Client {
    /// Whether its process runs.
    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Starts a process on its disk.
    pub(super) fn boot(self: &Arc<Self>) {
        self.lock_disk().forget_blows();
        let mut anchors = TrustAnchors::new();
        for (domain, der) in &self.lock_disk().anchors {
            anchors.pin(domain, CaCertificate::parse(der).unwrap()).unwrap();
            self.believe_more(domain, &mut anchors);
        }
        *self.lock_memory() = Memory {
            anchors,
            ..Memory::default()
        };
        self.up.store(true, Ordering::Relaxed);
        self.start_tasks();
    }

    /// Ends the process without a word.
    pub(super) fn kill(&self) {
        self.up.store(false, Ordering::Relaxed);
        self.tasks.lock().unwrap().abort_all();
        *self.lock_memory() = Memory::default();
    }

    /// Has the process die at a transaction.
    pub(super) fn strike(&self, nth: u64, moment: Moment) {
        self.lock_disk().strike(nth, moment);
    }

    /// Nothing more is to happen to the process.
    pub(super) fn spare(&self) {
        self.lock_disk().forget_blows();
    }

    /// Whether it has nothing left to do by itself.
    pub(super) fn is_at_rest(&self) -> bool {
        let disk = self.lock_disk();
        if !disk.parked.is_empty() || disk.publishing.is_some() {
            return false;
        }
        // Whom a room shut out while it came in by itself holds nothing of it.
        let rooms = disk.rooms.iter().filter(|(_, room)| !room.rows.is_empty());
        let rooms: Vec<RoomUri> = rooms.map(|(room, _)| room.clone()).collect();
        drop(disk);
        rooms
            .iter()
            .all(|room| self.room_is_at_rest(room).unwrap_or(false))
    }

    /// Where this bug is planted, a CA that has a provider's name is as good as the provider's own.
    fn believe_more(&self, domain: &Domain, anchors: &mut TrustAnchors) {
        if let Some(world) = self.world.upgrade()
            && world.bug == Some(Bug::ClientTrustsAnybody)
        {
            let ca = false_ca(world.seed, domain).to_anchor();
            anchors.pin(domain, ca).unwrap();
        }
    }

    fn world(&self) -> Result<Arc<World>, Died> {
        self.world.upgrade().ok_or(Died)
    }

    /// Whether this bug is planted in this world.
    fn has(&self, bug: Bug) -> bool {
        self.world.upgrade().is_some_and(|world| world.bug == Some(bug))
    }

    fn now(&self) -> u64 {
        sabir_server::ambient::Source::now(&*self.clock)
    }

    fn lock_disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    fn lock_memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    fn say(&self, what: &str) {
        if let Some(world) = self.world.upgrade() {
            world.say(&self.name, what);
        }
    }
}
