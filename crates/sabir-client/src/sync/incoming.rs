//! The event stream, entry by entry.

use sabir_core::conversation::{Conversation, ConversationContext, Joined};
use sabir_mls::rows::Rows;
use sabir_wire::client_api::{Event, EventBody};
use sabir_wire::uri::{Domain, RoomUri};

use super::ClientError;
use super::apply::{absorb, alarm, new_record};
use super::keeper::{Keeper, Work};
use crate::account::now;
use crate::random;
use crate::store::{Change, KeyPackageRows, Name, StoreError, Tx};

const UNREADABLE: &str = "What this device has of this room cannot be read. What arrives is kept, and waits for a version that can";

/// What goes with an entry into its transaction: the place that it leaves behind it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    /// The stream was applied up to here.
    Cursor(u64),
    /// The entry waited under this number.
    Parked(u64),
}

impl Mark {
    pub(super) fn write(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        match self {
            Self::Cursor(cursor) => tx.put(Name::CURSOR, &cursor),
            Self::Parked(id) => tx.unpark(id),
        }
    }
}

impl Keeper {
    /// Applies an event of the stream. After it is applied, or found to be no use, the cursor is behind it.
    ///
    /// # Errors
    /// Failures of this machine, after which the same event has to come again.
    pub(super) fn incoming(&mut self, event: &Event) -> Result<(), ClientError> {
        match &event.body {
            EventBody::Keepalive => Ok(()),
            EventBody::KeyPackagesLow { .. } => {
                self.work(Work::KeyPackages);
                Ok(())
            }
            // It came twice: an acknowledgement was lost.
            EventBody::Fanout { .. } if event.cursor <= self.cursor => Ok(()),
            EventBody::Fanout { room, fanout_message } => {
                self.entry(room, fanout_message, event.cursor)?;
                self.cursor = event.cursor;
                Ok(())
            }
        }
    }

    fn entry(&mut self, room: &RoomUri, entry: &[u8], cursor: u64) -> Result<(), ClientError> {
        let mark = Mark::Cursor(cursor);
        if self.store.read(|tx| tx.parked(room.as_str()))?.is_some() {
            return self.park(room, entry, mark);
        }
        match self.apply(room, entry, mark) {
            Err(ClientError::UnknownProvider(domain)) => {
                self.park(room, entry, mark)?;
                self.work(Work::Identity {
                    room: room.clone(),
                    domain,
                });
                Ok(())
            }
            // Nothing of a room is passed over because this program cannot read what it has of it; and other rooms go on.
            Err(ClientError::Store(StoreError::Damaged(_))) => {
                let last = self.store.transaction("park entry", |tx| {
                    tx.park(room.as_str(), entry)?;
                    alarm(tx, room.as_str(), UNREADABLE)?;
                    mark.write(tx)?;
                    tx.last_change()
                })?;
                self.published(last);
                Ok(())
            }
            result => result,
        }
    }

    /// Applies what waited for a room. Says which provider's identity is needed now, if one is.
    pub(super) fn unpark(&mut self, room: &RoomUri) -> Result<Option<Domain>, ClientError> {
        while let Some((id, entry)) = self.store.read(|tx| tx.parked(room.as_str()))? {
            match self.apply(room, &entry, Mark::Parked(id)) {
                Err(ClientError::UnknownProvider(domain)) => return Ok(Some(domain)),
                result => result?,
            }
        }
        Ok(None)
    }

    fn park(&mut self, room: &RoomUri, entry: &[u8], mark: Mark) -> Result<(), ClientError> {
        self.store.transaction("park entry", |tx| {
            tx.park(room.as_str(), entry)?;
            mark.write(tx)
        })?;
        Ok(())
    }

    /// Applies an entry, or finds that it cannot be applied and says so in the room.
    fn apply(&mut self, room: &RoomUri, entry: &[u8], mark: Mark) -> Result<(), ClientError> {
        let mut result = self.try_apply(room, entry, mark);
        if matches!(result, Err(ClientError::Internal(_))) {
            // A fault of ours may lie in what was loaded: once more from the rows.
            self.drop_engine(room);
            result = self.try_apply(room, entry, mark);
        }
        match result {
            Err(ClientError::Refused(reason) | ClientError::Internal(reason)) => {
                tracing::debug!(reason, "an entry of a room cannot be applied");
                self.drop_engine(room);
                self.skip(room, mark)
            }
            result => result,
        }
    }

    fn try_apply(&mut self, room: &RoomUri, entry: &[u8], mark: Mark) -> Result<(), ClientError> {
        if self.rejoins.contains_key(room) {
            return self.rejoin_entry(room, entry, mark);
        }
        let references = Conversation::welcome_references(entry);
        if references.is_empty() {
            return self.apply_entry(room, entry, mark);
        }
        self.welcome(room, entry, &references, mark)
    }

    fn apply_entry(&mut self, room: &RoomUri, entry: &[u8], mark: Mark) -> Result<(), ClientError> {
        let applied = self.step(room, "apply entry", |step| {
            let effects = step.engine.incoming(step.cx, step.now, entry, step.rng)?;
            step.absorb(effects)?;
            mark.write(step.tx)?;
            let reading = step.tx.reading(room.as_str())?;
            Ok(reading.arrived > reading.reported)
        });
        match applied {
            Ok(has_arrivals) => {
                self.work(Work::Room(room.clone()));
                if has_arrivals {
                    self.work(Work::Arrivals(room.clone()));
                }
                Ok(())
            }
            // Of a room this device never joined: what was said before its Welcome is not for it.
            Err(ClientError::NoRoom) => self.pass(mark),
            Err(error) => Err(error),
        }
    }

    /// Takes a Welcome: into a new room, back into one, or of no use.
    fn welcome(
        &mut self,
        room: &RoomUri,
        entry: &[u8],
        references: &[Vec<u8>],
        mark: Mark,
    ) -> Result<(), ClientError> {
        let found = self.store.read(|tx| {
            for reference in references {
                if let Some(package) = tx.key_package(reference)? {
                    return Ok(Some(package));
                }
            }
            Ok::<_, StoreError>(None)
        })?;
        let Some(package) = found else {
            tracing::warn!("a welcome names no key package of this device");
            if self.store.read(|tx| tx.room(room.as_str()))?.is_some() {
                // It came twice.
                return self.pass(mark);
            }
            return self.begin_rejoin(room, None, mark);
        };
        let KeyPackageRows { reference, rows } = package;
        let again = rows.clone();
        let back = self.step(room, "come back", |step| {
            let wanted = step.engine.wants_welcome();
            if wanted {
                let effects = step.engine.welcomed(step.cx, step.now, again, entry, step.rng)?;
                step.absorb(effects)?;
                step.tx.remove_key_package(&reference)?;
            }
            mark.write(step.tx)?;
            Ok(())
        });
        let joined = match back {
            Err(ClientError::NoRoom) => self.join(room, rows, &reference, entry, mark),
            result => result,
        };
        match joined {
            Ok(()) => {
                self.work(Work::Room(room.clone()));
                Ok(())
            }
            // The room's people count on this device: it comes in by itself where it may.
            Err(ClientError::Refused(reason)) => {
                tracing::debug!(reason, "a welcome does not open");
                self.begin_rejoin(room, Some(&reference), mark)
            }
            Err(error) => Err(error),
        }
    }

    fn join(
        &mut self,
        room: &RoomUri,
        rows: Rows,
        reference: &[u8],
        entry: &[u8],
        mark: Mark,
    ) -> Result<(), ClientError> {
        let cx = ConversationContext {
            device: &self.device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let joined = Conversation::join(cx, room.clone(), rows, entry, &mut random::stream()?)?;
        self.enter(joined, |tx| {
            tx.remove_key_package(reference)?;
            mark.write(tx)
        })
    }

    /// Writes down a room that this device just came into.
    pub(super) fn enter(
        &mut self,
        joined: Joined,
        also: impl FnOnce(&mut Tx<'_>) -> Result<(), StoreError>,
    ) -> Result<(), ClientError> {
        let Joined {
            conversation,
            effects,
        } = joined;
        let now = now()?;
        let room = conversation.room().clone();
        let last = self.store.transaction("join room", |tx| {
            let added = tx.room(room.as_str())?.is_none();
            // A room that this device was out of begins anew; what was said in it stays.
            tx.clear(room.as_str())?;
            tx.put_room(&new_record(&conversation, &self.me, now))?;
            let room = room.to_string();
            tx.append_change(&if added {
                Change::RoomAdded { room }
            } else {
                Change::RoomChanged { room }
            })?;
            absorb(tx, &self.me, &conversation, effects)?;
            also(tx)?;
            Ok::<_, ClientError>(tx.last_change()?)
        })?;
        self.keep_engine(conversation);
        self.published(last);
        self.work(Work::Room(room.clone()));
        self.work(Work::Unite(room));
        Ok(())
    }

    /// Leaves an entry behind.
    pub(super) fn pass(&mut self, mark: Mark) -> Result<(), ClientError> {
        Ok(self.store.transaction("pass entry", |tx| mark.write(tx))?)
    }

    /// Leaves an entry behind that this device cannot apply, and says so where there is a room to say it in.
    fn skip(&mut self, room: &RoomUri, mark: Mark) -> Result<(), ClientError> {
        let last = self.store.transaction("skip entry", |tx| {
            if tx.room(room.as_str())?.is_some() {
                alarm(tx, room.as_str(), "Something arrived here that cannot be read")?;
            }
            mark.write(tx)?;
            tx.last_change()
        })?;
        self.published(last);
        Ok(())
    }
}
