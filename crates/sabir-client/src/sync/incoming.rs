//! The event stream, entry by entry.

use sabir_core::conversation::{Conversation, ConversationContext, Joined};
use sabir_wire::client_api::{Event, EventBody};
use sabir_wire::uri::{Domain, RoomUri};

use super::ClientError;
use super::apply::{absorb, alarm, new_record};
use super::keeper::{Keeper, Work};
use crate::account::now;
use crate::random;
use crate::store::{Change, Name, StoreError, Tx};

/// What goes with an entry into its transaction: the place that it leaves behind it.
#[derive(Debug, Clone, Copy)]
enum Mark {
    /// The stream was applied up to here.
    Cursor(u64),
    /// The entry waited under this number.
    Parked(u64),
}

impl Mark {
    fn write(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
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
        let record = self.store.read(|tx| tx.room(room.as_str()))?;
        let references = Conversation::welcome_references(entry);
        let is_member = record.is_some_and(|record| !record.closed);
        if references.is_empty() || is_member {
            let applied = self.step(room, "apply entry", |step| {
                let effects = step.engine.incoming(step.cx, step.now, entry, step.rng)?;
                step.absorb(effects)?;
                mark.write(step.tx)?;
                let reading = step.tx.reading(room.as_str())?;
                Ok(reading.arrived > reading.reported)
            });
            return match applied {
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
            };
        }
        self.join(room, entry, &references, mark)
    }

    fn join(
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
            return self.pass(mark);
        };
        self.drop_engine(room);
        let cx = ConversationContext {
            device: &self.device,
            me: &self.me,
            anchors: &self.anchors,
        };
        let joined = Conversation::join(cx, room.clone(), package.rows, entry, &mut random::stream()?)?;
        let Joined {
            conversation,
            effects,
        } = joined;
        let now = now()?;
        let last = self.store.transaction("join room", |tx| {
            // Rows of an earlier membership end with it.
            tx.clear(room.as_str())?;
            tx.put_room(&new_record(&conversation, &self.me, now))?;
            tx.append_change(&Change::RoomAdded {
                room: room.to_string(),
            })?;
            absorb(tx, &self.me, &conversation, effects)?;
            tx.remove_key_package(&package.reference)?;
            mark.write(tx)?;
            Ok::<_, ClientError>(tx.last_change()?)
        })?;
        self.keep_engine(conversation);
        self.published(last);
        self.work(Work::Room(room.clone()));
        Ok(())
    }

    /// Leaves an entry behind.
    fn pass(&mut self, mark: Mark) -> Result<(), ClientError> {
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
