//! A client's disk: rows in memory, changed by transactions, between any two of which the process may die.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sabir_core::conversation::LocalId;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::client_api::HubIdentity;
use sabir_wire::uri::{Domain, RoomUri, UserUri};

use crate::sim::store::Moment;

/// The process died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) struct Died;

/// What outlives a process.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) rooms: BTreeMap<RoomUri, RoomDisk>,
    /// Private rows of key packages.
    pub(super) packages: BTreeMap<Vec<u8>, Rows>,
    /// A batch of key packages that the provider may not have.
    pub(super) publishing: Option<Vec<u8>>,
    pub(super) cursor: u64,
    pub(super) anchors: BTreeMap<Domain, Vec<u8>>,
    pub(super) hub: Option<HubIdentity>,
    /// Entries that wait for the identity of a provider.
    pub(super) parked: BTreeMap<RoomUri, VecDeque<Vec<u8>>>,
    pub(super) next_local: u64,
    /// Times that a planted bug has forgotten, by room.
    pub(super) forgotten: BTreeMap<RoomUri, u64>,
    commits: u64,
    blows: BTreeMap<u64, Moment>,
}

/// One room on it.
#[derive(Debug, Default, Clone)]
pub(super) struct RoomDisk {
    pub(super) rows: Rows,
    pub(super) direct_with: Option<UserUri>,
    pub(super) ready: bool,
    pub(super) closed: bool,
    /// This client comes into the room by itself; the rows are those of the way in.
    pub(super) rejoining: bool,
    /// Texts on their way, by the name the engine knows them by.
    pub(super) texts: BTreeMap<LocalId, String>,
    /// Messages that people have seen.
    pub(super) seen: BTreeSet<[u8; 32]>,
}

/// One change.
#[derive(Debug)]
pub(super) enum Op {
    Rows(RoomUri, RowChanges),
    /// Rows of an earlier membership go.
    Clear(RoomUri),
    Room {
        room: RoomUri,
        direct_with: Option<UserUri>,
    },
    Ready(RoomUri, bool),
    Closed(RoomUri, bool),
    Rejoining(RoomUri, bool),
    Text(RoomUri, LocalId, String),
    Seen(RoomUri, [u8; 32]),
    NextLocal(u64),
    Cursor(u64),
    Park(RoomUri, Vec<u8>),
    Unpark(RoomUri),
    Package(Vec<u8>, RowChanges),
    PackageUsed(Vec<u8>),
    Publishing(Option<Vec<u8>>),
    Anchor(Domain, Vec<u8>),
    Hub(HubIdentity),
}

impl Disk {
    /// Has the process die at the `nth` transaction from now; 1 is the next one.
    pub(super) fn strike(&mut self, nth: u64, moment: Moment) {
        self.blows.insert(self.commits + nth, moment);
    }

    /// What was to happen to the process that is gone.
    pub(super) fn forget_blows(&mut self) {
        self.blows.clear();
    }

    /// All of the changes or, where the process dies before, none. Says whether the process dies afterwards.
    pub(super) fn commit(&mut self, ops: Vec<Op>) -> Result<Option<Died>, Died> {
        self.commits += 1;
        match self.blows.remove(&self.commits) {
            Some(Moment::Before) => Err(Died),
            blow => {
                for op in ops {
                    self.change(op);
                }
                Ok(blow.map(|_| Died))
            }
        }
    }

    fn change(&mut self, op: Op) {
        match op {
            Op::Rows(room, changes) => changes.apply_to(&mut self.room(room).rows),
            Op::Clear(room) => self.room(room).rows.clear(),
            Op::Room { room, direct_with } => {
                let record = self.room(room);
                record.direct_with = direct_with;
                record.closed = false;
            }
            Op::Ready(room, ready) => self.room(room).ready = ready,
            Op::Closed(room, closed) => self.room(room).closed = closed,
            Op::Rejoining(room, rejoining) => self.room(room).rejoining = rejoining,
            Op::Text(room, id, text) => {
                self.room(room).texts.insert(id, text);
            }
            Op::Seen(room, message) => {
                self.room(room).seen.insert(message);
            }
            Op::NextLocal(next) => self.next_local = next,
            Op::Cursor(cursor) => self.cursor = cursor,
            Op::Park(room, entry) => self.parked.entry(room).or_default().push_back(entry),
            Op::Unpark(room) => {
                if let Some(parked) = self.parked.get_mut(&room) {
                    parked.pop_front();
                    if parked.is_empty() {
                        self.parked.remove(&room);
                    }
                }
            }
            Op::Package(reference, private) => {
                let mut rows = Rows::new();
                private.apply_to(&mut rows);
                self.packages.insert(reference, rows);
            }
            Op::PackageUsed(reference) => {
                self.packages.remove(&reference);
            }
            Op::Publishing(batch) => self.publishing = batch,
            Op::Anchor(domain, der) => {
                self.anchors.insert(domain, der);
            }
            Op::Hub(hub) => self.hub = Some(hub),
        }
    }

    fn room(&mut self, room: RoomUri) -> &mut RoomDisk {
        self.rooms.entry(room).or_default()
    }
}
