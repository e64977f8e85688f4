//! Rooms that this device comes into by itself, since its Welcome does not open or its key package is lost: by groupInfo and an external commit.
//!
//! Such a room is in no list before this device is in it. What is under way lies in the room's rows, and which rooms
//! these are in a value of its own.

use std::collections::BTreeMap;

use sabir_core::conversation::{Conversation, ConversationContext, Effects, Rejoin, Rejoined, Request};
use sabir_wire::uri::RoomUri;

use super::ClientError;
use super::apply::alarm;
use super::devices::no_longer_to_join;
use super::incoming::Mark;
use super::keeper::{Keeper, NO_ROOM, Work};
use super::links;
use super::outgoing::Next;
use crate::account::now;
use crate::random;
use crate::store::{Name, Store, StoreError, Tx};

/// Rooms that are come into at a time. More are not tried: somebody sends Welcomes that do not open.
pub(super) const MOST: usize = 32;
/// After so long, in milliseconds, it is given up.
const PATIENCE: u64 = 7 * 24 * 3_600_000;

/// A device that was off for all that time has so long from when it is on again.
const LAST_TRY: u64 = 10 * 60_000;

/// Room and beginning, in milliseconds since the epoch.
pub(super) type Listed = Vec<(String, u64)>;

/// What is under way.
pub(super) fn load(store: &mut Store) -> Result<BTreeMap<RoomUri, Rejoin>, ClientError> {
    store.read(|tx| {
        let mut rejoins = BTreeMap::new();
        for (room, _) in listed(tx)? {
            let room = RoomUri::parse(&room)?;
            if let Some(rejoin) = Rejoin::load(room.clone(), &tx.rows(room.as_str())?)? {
                rejoins.insert(room, rejoin);
            }
        }
        Ok(rejoins)
    })
}

pub(super) fn listed(tx: &Tx<'_>) -> Result<Listed, StoreError> {
    Ok(tx.get(Name::REJOINS)?.unwrap_or_default())
}

fn unlist(tx: &mut Tx<'_>, room: &RoomUri) -> Result<(), StoreError> {
    let mut list = listed(tx)?;
    list.retain(|(listed, _)| listed != room.as_str());
    tx.put(Name::REJOINS, &list)
}

/// Whether the time for coming in is over, where a device was on all the time.
const fn is_late(begun: u64, now: u64) -> bool {
    now.saturating_sub(begun) > PATIENCE
}

/// Whether the last try is over that began then.
const fn is_over(last_try: u64, now: u64) -> bool {
    now.saturating_sub(last_try) > LAST_TRY
}

impl Keeper {
    /// Goes on without a Welcome that does not open, made for the key package with this reference, or for one that this
    /// device has lost.
    pub(super) fn begin_rejoin(
        &mut self,
        room: &RoomUri,
        reference: Option<&[u8]>,
        mark: Mark,
    ) -> Result<(), ClientError> {
        let is_member = match self.step(room, "look", |step| Ok(step.engine.is_member())) {
            Err(ClientError::NoRoom) => false,
            other => other?,
        };
        let now = now()?;
        let list = self.store.read(listed)?;
        if is_member || list.len() >= MOST {
            return self.pass(mark);
        }
        let cx = ConversationContext {
            device: &self.device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let (rejoin, effects) = Conversation::rejoin(cx, room.clone(), now, &mut random::stream()?)?;
        self.store.transaction("begin to come in", |tx| {
            // A room that this device was taken out of begins anew; what was said in it stays.
            tx.clear(room.as_str())?;
            tx.apply(room.as_str(), &effects.changes)?;
            let mut list = listed(tx)?;
            list.push((room.to_string(), now));
            tx.put(Name::REJOINS, &list)?;
            if let Some(reference) = reference {
                tx.remove_key_package(reference)?;
            }
            mark.write(tx)
        })?;
        self.drop_engine(room);
        self.rejoins.insert(room.clone(), rejoin);
        self.work(Work::Room(room.clone()));
        Ok(())
    }

    /// What to send next for a room that is come into; nothing where the room is another.
    pub(super) fn next_of_rejoin(&mut self, room: &RoomUri) -> Result<Option<Next>, ClientError> {
        let Some(mut rejoin) = self.rejoins.remove(room) else {
            return Ok(None);
        };
        let now = now()?;
        let begun = self.store.read(listed)?;
        let begun = begun.iter().find(|(listed, _)| listed == room.as_str());
        let is_over = begun.is_none_or(|(_, begun)| {
            let late = is_late(*begun, now);
            late && is_over(*self.last_tries.entry(room.clone()).or_insert(now), now)
        });
        if is_over {
            let abandoned = rejoin.abandon();
            let given_up = self.store.transaction("give up", |tx| {
                tx.apply(room.as_str(), &abandoned.changes)?;
                let wanted = links::is_joining(tx, room.as_str())?;
                let why = "the room's provider could not be reached for a week";
                links::decide(tx, room, now, Some(why.to_owned()))?;
                unlist(tx, room)?;
                no_longer_to_join(tx, room)?;
                if begun.is_some() && !wanted {
                    let hub = room.authority();
                    let text =
                        format!("You were let into a room at {hub}, and this device could not come into it");
                    alarm(tx, NO_ROOM, &text)?;
                }
                tx.last_change()
            });
            match given_up {
                Ok(last) => self.published(last),
                Err(error) => {
                    self.reload_rejoin(room);
                    return Err(error.into());
                }
            }
            tracing::warn!("a room that could not be joined was given up");
            self.last_tries.remove(room);
            return Ok(Some(Next::Wait(None)));
        }
        let cx = ConversationContext {
            device: &self.device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let prepared = random::stream()
            .map_err(ClientError::from)
            .and_then(|mut rng| Ok(rejoin.prepare(cx, now, &mut rng)?));
        let effects = match prepared {
            Ok(effects) => effects,
            Err(error) => {
                self.reload_rejoin(room);
                return Err(error);
            }
        };
        let next = match rejoin.outstanding(now) {
            Some(request) => Next::Send(request),
            None => Next::Wait(Some(rejoin.next_timeout())),
        };
        self.keep_rejoin(rejoin, &effects, None)?;
        Ok(Some(next))
    }

    /// Takes the answer to a request of a room that is come into; says whether there is such a room.
    pub(super) fn answered_rejoin(
        &mut self,
        room: &RoomUri,
        request: &Request,
        answer: &[u8],
    ) -> Result<bool, ClientError> {
        if !self.rejoins.contains_key(room) {
            return Ok(false);
        }
        let now = now()?;
        let rng = &mut random::stream()?;
        self.with_rejoin(room, None, |rejoin, cx| {
            rejoin.answered(cx, now, request, answer, rng)
        })?;
        Ok(true)
    }

    /// An entry of the log of a room that is come into.
    pub(super) fn rejoin_entry(
        &mut self,
        room: &RoomUri,
        entry: &[u8],
        mark: Mark,
    ) -> Result<(), ClientError> {
        let rng = &mut random::stream()?;
        self.with_rejoin(room, Some(mark), |rejoin, cx| rejoin.incoming(cx, entry, rng))
    }

    fn with_rejoin(
        &mut self,
        room: &RoomUri,
        mark: Option<Mark>,
        call: impl FnOnce(
            &mut Rejoin,
            ConversationContext<'_>,
        ) -> Result<Rejoined, sabir_core::conversation::ConversationError>,
    ) -> Result<(), ClientError> {
        // Taken out; after an error it is as its rows say.
        let Some(mut rejoin) = self.rejoins.remove(room) else {
            return Ok(());
        };
        let cx = ConversationContext {
            device: &self.device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let at = now()?;
        let called = call(&mut rejoin, cx);
        let rejoined = match called {
            Ok(rejoined) => rejoined,
            Err(error) => {
                self.reload_rejoin(room);
                return Err(error.into());
            }
        };
        let kept = match rejoined {
            Rejoined::Still(effects) => self.keep_rejoin(rejoin, &effects, mark),
            Rejoined::In(joined) => self.enter(*joined, |tx| {
                unlist(tx, room)?;
                links::decide(tx, room, at, None)?;
                no_longer_to_join(tx, room)?;
                mark.map_or(Ok(()), |mark| mark.write(tx))
            }),
            Rejoined::ShutOut(effects, reason) => {
                let written = self.store.transaction("shut out", |tx| {
                    tx.apply(room.as_str(), &effects.changes)?;
                    links::decide(tx, room, at, Some(links::shut_out(reason)))?;
                    unlist(tx, room)?;
                    no_longer_to_join(tx, room)?;
                    mark.map_or(Ok(()), |mark| mark.write(tx))?;
                    tx.last_change()
                });
                written
                    .map(|last| self.published(last))
                    .map_err(ClientError::from)
            }
        };
        if kept.is_err() {
            self.reload_rejoin(room);
        }
        kept
    }

    /// After an error: what is under way is as its rows say.
    pub(super) fn reload_rejoin(&mut self, room: &RoomUri) {
        let loaded = self.store.read(|tx| {
            let is_listed = listed(tx)?.iter().any(|(listed, _)| listed == room.as_str());
            let rows = if is_listed {
                tx.rows(room.as_str())?
            } else {
                BTreeMap::new()
            };
            Ok::<_, StoreError>(Rejoin::load(room.clone(), &rows).ok().flatten())
        });
        match loaded {
            Ok(Some(rejoin)) => {
                self.rejoins.insert(room.clone(), rejoin);
            }
            Ok(None) => {}
            // The next start reads it.
            Err(error) => tracing::error!(%error, "a room that is being joined cannot be read"),
        }
    }

    fn keep_rejoin(
        &mut self,
        rejoin: Rejoin,
        effects: &Effects,
        mark: Option<Mark>,
    ) -> Result<(), ClientError> {
        let room = rejoin.room().clone();
        let written = self.store.transaction("come in", |tx| {
            tx.apply(room.as_str(), &effects.changes)?;
            mark.map_or(Ok(()), |mark| mark.write(tx))
        });
        match written {
            Ok(_) => {
                self.rejoins.insert(room, rejoin);
                Ok(())
            }
            Err(error) => {
                self.reload_rejoin(&room);
                Err(error.into())
            }
        }
    }
}
