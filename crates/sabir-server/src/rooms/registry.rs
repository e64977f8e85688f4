use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sabir_core::follower::Follower;
use sabir_core::hub::Hub;
use sabir_store::{RoomKind, RoomState, RoomVersion};
use sabir_wire::uri::RoomUri;
use tokio::sync::{MutexGuard, OwnedRwLockReadGuard, RwLock};

use crate::error::Error;
use crate::server::{AnyStore, Shared};

/// The rooms that are in use, each behind a lock of its own; the ones used longest ago are unloaded.
#[derive(Debug)]
pub struct Rooms {
    slots: Mutex<HashMap<RoomUri, Arc<Slot>>>,
    capacity: usize,
    uses: AtomicU64,
}

/// One room's place.
#[derive(Debug, Default)]
pub(super) struct Slot {
    engine: tokio::sync::Mutex<Option<Loaded>>,
    /// Read-locked by each command that is on its way though the engine's lock is free again.
    on_their_way: Arc<RwLock<()>>,
    used: AtomicU64,
    /// How many requests are yet to be looked for among the stored answers before the engine sees them.
    looks: AtomicU32,
}

/// A loaded engine, and the version of the room once everything on its way has arrived.
#[derive(Debug)]
pub(super) enum Loaded {
    Hub(Box<HubRoom>),
    Follower(Box<FollowerRoom>),
}

#[derive(Debug)]
pub(super) struct HubRoom {
    pub(super) engine: Hub,
    pub(super) version: RoomVersion,
}

#[derive(Debug)]
pub(super) struct FollowerRoom {
    pub(super) engine: Follower,
    /// `None`: the room is not stored yet.
    pub(super) version: Option<RoomVersion>,
}

/// The engine's place while it is locked. An engine that was taken out and not put back is loaded again next time.
pub(super) type Locked<'a> = MutexGuard<'a, Option<Loaded>>;

impl Rooms {
    /// Keeps about `capacity` rooms loaded.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            slots: Mutex::default(),
            capacity: capacity.max(1),
            uses: AtomicU64::new(0),
        }
    }

    /// The room's place, made when there is none.
    pub(super) fn slot(&self, room: &RoomUri) -> Arc<Slot> {
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(room) {
            slot.used.store(now, Ordering::Relaxed);
            return Arc::clone(slot);
        }
        if slots.len() >= self.capacity {
            // An eighth at once, so that the search is paid for by as many rooms.
            unload(&mut slots, (self.capacity / 8).max(1));
        }
        let slot = Arc::new(Slot {
            used: AtomicU64::new(now),
            ..Slot::default()
        });
        slots.insert(room.clone(), Arc::clone(&slot));
        slot
    }
}

/// Unloads up to `count` rooms that nobody holds, the ones used longest ago. While a slot is in the map it is the only
/// one of its room, so one that somebody holds must stay.
fn unload(slots: &mut HashMap<RoomUri, Arc<Slot>>, count: usize) {
    let mut idle: Vec<(u64, RoomUri)> = slots
        .iter()
        .filter(|(_, slot)| Arc::strong_count(slot) == 1 && slot.on_their_way.try_write().is_ok())
        .map(|(room, slot)| (slot.used.load(Ordering::Relaxed), room.clone()))
        .collect();
    idle.sort_unstable_by_key(|(used, _)| *used);
    for (_, room) in idle.into_iter().take(count) {
        slots.remove(&room);
    }
}

impl Slot {
    /// Locks the room.
    pub(super) async fn lock(&self) -> Locked<'_> {
        self.engine.lock().await
    }

    /// Marks a command as on its way; the caller drops it when the command has ended.
    pub(super) async fn on_its_way(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.on_their_way).read_owned().await
    }

    /// Whether the next request is to be looked for among the stored answers before the engine sees it.
    ///
    /// Hardly any was asked before, so the store tells of those that were, when it is to write them, or whoever refuses
    /// them asks; but then the engine is loaded again, which costs more than looking. So after one, many are looked for.
    pub(super) fn looks_first(&self) -> bool {
        let fewer = |looks: u32| looks.checked_sub(1);
        self.looks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok()
    }

    /// Somebody repeated a request in this room.
    pub(super) fn repeated(&self) {
        self.looks.store(LOOKS, Ordering::Relaxed);
    }

    /// Drops the engine, because a command that it had counted on failed.
    pub(super) async fn forget(&self) {
        self.lock().await.take();
    }

    /// Takes the hub engine out, loading it when needed; the room must be one of ours.
    pub(super) async fn take_hub(
        &self,
        locked: &mut Locked<'_>,
        shared: &Shared,
        room: &RoomUri,
    ) -> Result<Option<HubRoom>, Error> {
        match locked.take() {
            Some(Loaded::Hub(hub)) => return Ok(Some(*hub)),
            Some(other) => {
                **locked = Some(other);
                return Ok(None);
            }
            None => {}
        }
        let Some(state) = self.stored(&shared.store, room, RoomKind::Hub).await? else {
            return Ok(None);
        };
        let mut rng = shared.ambient.rng()?;
        let engine = Hub::load(room.clone(), &state.rows, &mut rng)
            .map_err(|error| Error::Internal("a stored room cannot be loaded").because(error))?;
        Ok(Some(HubRoom {
            engine,
            version: state.version,
        }))
    }

    /// Takes the follower engine out, loading it when needed; a new one for a room that is not stored.
    pub(super) async fn take_follower(
        &self,
        locked: &mut Locked<'_>,
        store: &AnyStore,
        room: &RoomUri,
    ) -> Result<FollowerRoom, Error> {
        match locked.take() {
            Some(Loaded::Follower(follower)) => return Ok(*follower),
            Some(other) => {
                **locked = Some(other);
                return Err(Error::NotFound("room"));
            }
            None => {}
        }
        let Some(state) = self.stored(store, room, RoomKind::Follower).await? else {
            return Ok(FollowerRoom {
                engine: Follower::new(room.clone()),
                version: None,
            });
        };
        let engine = Follower::load(room.clone(), &state.rows)
            .map_err(|error| Error::Internal("a followed room cannot be loaded").because(error))?;
        Ok(FollowerRoom {
            engine,
            version: Some(state.version),
        })
    }

    /// The stored room once nothing of it is on its way any more.
    async fn stored(
        &self,
        store: &AnyStore,
        room: &RoomUri,
        kind: RoomKind,
    ) -> Result<Option<RoomState>, Error> {
        drop(self.on_their_way.write().await);
        let state = store.load_room(room.as_str())?;
        Ok(state.filter(|state| state.kind == kind))
    }
}

/// Requests that are looked for first, after one was repeated.
const LOOKS: u32 = 256;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn rooms_that_somebody_holds_stay() {
        let room = |number: usize| RoomUri::parse(&format!("mimi://a.example/r/{number}")).unwrap();
        let rooms = Rooms::new(4);
        let held = rooms.slot(&room(0));
        for number in 1..4 {
            rooms.slot(&room(number));
        }
        // The second was used last.
        rooms.slot(&room(1));
        rooms.slot(&room(4));
        rooms.slot(&room(5));
        let slots = rooms.slots.lock().unwrap();
        assert_eq!(slots.len(), 4);
        for (number, there) in [(0, true), (1, true), (2, false), (3, false), (4, true), (5, true)] {
            assert_eq!(slots.contains_key(&room(number)), there, "{number}");
        }
        assert!(Arc::ptr_eq(&held, slots.get(&room(0)).unwrap()));
    }
}
