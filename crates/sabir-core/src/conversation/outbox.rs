//! Messages on their way: written down, encrypted when it is their turn, gone when the log brings them back.

use std::collections::VecDeque;

use rand_core::CryptoRng;
use sabir_mls::keys::sha256;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{Decode, DecodeError, Encode, Reader, put_opaque};
use sabir_wire::content::{MimiContent, Origin, Salt};
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::SubmitMessageRequest;

use super::record::{Phase, Work};
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::Millis;
use crate::frank;
use crate::room::policy::Action;
use crate::scope::engine_key;

/// The name a shell gives a message before the room has one for it.
pub type LocalId = [u8; 16];

/// Bytes of an encoded MIMI content that this client sends. With AAD, padding and framing it stays well under
/// the largest `SubmitMessageRequest`.
pub const MAX_CONTENT: usize = 128 << 10;

const PREFIX: &str = "out/";

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    number: u64,
    pub(super) local_id: LocalId,
    pub(super) content: Vec<u8>,
    /// The encoded `SubmitMessageRequest`, and the hash of its MLSMessage, once encrypted.
    pub(super) sealed: Option<(Vec<u8>, [u8; 32])>,
    pub(super) accepted: Option<Millis>,
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    next: u64,
}

impl Outbox {
    pub(super) fn read(rows: &Rows) -> Result<Self, DecodeError> {
        let prefix = engine_key(PREFIX);
        let mut entries = VecDeque::new();
        for (_, value) in rows
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
        {
            entries.push_back(Entry::from_bytes(value)?);
        }
        let next = entries
            .back()
            .map_or(0, |entry: &Entry| entry.number.saturating_add(1));
        Ok(Self { entries, next })
    }

    pub(super) fn waiting(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.accepted.is_none())
            .count()
    }

    /// Counts on from a number, where it is behind: what was sent is forgotten, and with it its number.
    pub(super) fn count_from(&mut self, number: u64) {
        self.next = self.next.max(number);
    }

    /// The number that the next message will have.
    pub(super) fn next_number(&self) -> u64 {
        self.next
    }

    /// The number of the first message that was not accepted yet.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        let entry = self.entries.iter().find(|entry| entry.accepted.is_none())?;
        Some(entry.number)
    }

    pub(super) fn in_flight(&self) -> Option<&[u8]> {
        let entry = self.entries.iter().find(|entry| entry.accepted.is_none())?;
        entry.sealed.as_ref().map(|(request, _)| request.as_slice())
    }

    fn push(&mut self, local_id: LocalId, content: Vec<u8>, changes: &mut RowChanges) {
        let entry = Entry {
            number: self.next,
            local_id,
            content,
            sealed: None,
            accepted: None,
        };
        self.next = self.next.saturating_add(1);
        entry.write(changes);
        self.entries.push_back(entry);
    }

    /// The hub accepted the outstanding message.
    pub(super) fn accept(&mut self, at: Millis, changes: &mut RowChanges) -> Option<LocalId> {
        let entry = self.outstanding()?;
        entry.accepted = Some(at);
        entry.write(changes);
        Some(entry.local_id)
    }

    /// The hub did not take the outstanding message: it is encrypted anew when it is its turn.
    pub(super) fn unseal(&mut self, changes: &mut RowChanges) {
        if let Some(entry) = self.outstanding() {
            entry.sealed = None;
            entry.write(changes);
        }
    }

    /// The epoch has passed that messages were encrypted in. The log brings what was accepted in an epoch before
    /// the commit that ends it, so what has not come back by now never will, whatever the hub answered: it is
    /// encrypted anew. Its content stays the same, so that its receivers would know it again.
    pub(super) fn epoch_passed(&mut self, changes: &mut RowChanges) {
        for entry in &mut self.entries {
            if entry.sealed.take().is_some() {
                entry.accepted = None;
                entry.write(changes);
            }
        }
    }

    /// Takes out entries that are not encrypted: nobody has them. Says which they were.
    fn take_unsent(&mut self, which: impl Fn(LocalId) -> bool, changes: &mut RowChanges) -> Vec<LocalId> {
        let mut gone = Vec::new();
        self.entries.retain(|entry| {
            let goes = entry.sealed.is_none() && entry.accepted.is_none() && which(entry.local_id);
            if goes {
                changes.delete(entry.key());
                gone.push(entry.local_id);
            }
            !goes
        });
        gone
    }

    /// Takes all entries out; says which they were.
    pub(super) fn take_all(&mut self, changes: &mut RowChanges) -> Vec<LocalId> {
        let entries = self.entries.drain(..);
        let gone = entries.map(|entry| {
            changes.delete(entry.key());
            entry.local_id
        });
        gone.collect()
    }

    fn outstanding(&mut self) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .find(|entry| entry.accepted.is_none())
            .filter(|entry| entry.sealed.is_some())
    }

    /// Takes out the entry that was sent as this MLSMessage.
    pub(super) fn take(&mut self, message: &[u8; 32], changes: &mut RowChanges) -> Option<Entry> {
        let is_it = |entry: &Entry| entry.sealed.as_ref().is_some_and(|(_, hash)| hash == message);
        let position = self.entries.iter().position(is_it)?;
        let entry = self.entries.remove(position)?;
        changes.delete(entry.key());
        Some(entry)
    }
}

impl Entry {
    fn key(&self) -> Vec<u8> {
        // The number in fixed-width decimal sorts as a number.
        engine_key(&format!("{PREFIX}{:020}", self.number))
    }

    pub(super) fn write(&self, changes: &mut RowChanges) {
        changes.put(self.key(), self.to_bytes());
    }
}

impl Encode for Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number.encode(out);
        out.extend_from_slice(&self.local_id);
        put_opaque(out, &self.content);
        match &self.sealed {
            None => out.push(0),
            Some((request, hash)) => {
                out.push(1);
                put_opaque(out, request);
                out.extend_from_slice(hash);
            }
        }
        match self.accepted {
            None => out.push(0),
            Some(at) => {
                out.push(1);
                at.encode(out);
            }
        }
    }
}

impl Decode for Entry {
    const NAME: &'static str = "OutboxEntry";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            number: r.u64("number")?,
            local_id: r.array("local_id")?,
            content: r.opaque("content", MAX_CONTENT)?.to_vec(),
            sealed: if r.flag("sealed")? {
                Some((
                    r.opaque("request", MAX_CONTENT.saturating_mul(2))?.to_vec(),
                    r.array("hash")?,
                ))
            } else {
                None
            },
            accepted: if r.flag("accepted")? {
                Some(r.u64("accepted")?)
            } else {
                None
            },
        })
    }
}

impl Conversation {
    /// Writes a message into the outbox. `compose` makes the content from its origin, which is filled in here.
    ///
    /// # Errors
    /// [`ConversationError::TooLarge`], [`ConversationError::Closed`] where this client is out of the room, or
    /// [`ConversationError::NotAllowed`] where this person's role only lets them read.
    pub fn send(
        &mut self,
        cx: ConversationContext<'_>,
        local_id: LocalId,
        compose: impl FnOnce(Origin<'_>) -> MimiContent,
        rng: &mut dyn CryptoRng,
    ) -> Result<Effects, ConversationError> {
        if self.record.phase == Phase::Closed || self.record.leaving {
            return Err(ConversationError::Closed("you are no longer in this room"));
        }
        self.may(cx, Action::SendMessage)
            .map_err(ConversationError::NotAllowed)?;
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let origin = Origin {
            salt: Salt(salt),
            sender_uri: cx.me.as_str(),
            room_uri: self.room.as_str(),
        };
        let content = compose(origin)
            .to_bytes()
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        if content.len() > MAX_CONTENT {
            return Err(ConversationError::TooLarge);
        }
        // What nobody could read, or would believe, must not stand at the head of the outbox.
        let decoded = MimiContent::from_bytes(&content)
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        let claims = (decoded.extensions.sender_uri(), decoded.extensions.room_uri());
        if claims != (Some(cx.me.as_str()), Some(self.room.as_str())) {
            let reason = "the message names another sender or room";
            return Err(ConversationError::Refused(reason.to_owned()));
        }
        let mut effects = Effects::default();
        self.outbox.push(local_id, content, &mut effects.changes);
        Ok(self.finish(effects))
    }

    /// Takes messages back that nobody can have got, so that they can be written elsewhere; says which they were.
    pub fn withdraw(&mut self, which: impl Fn(LocalId) -> bool) -> (Effects, Vec<LocalId>) {
        let mut effects = Effects::default();
        let gone = self.outbox.take_unsent(which, &mut effects.changes);
        (self.finish(effects), gone)
    }

    /// Encrypts the next message where it is its turn, so that a request is outstanding.
    pub(super) fn seal_next(
        &mut self,
        cx: ConversationContext<'_>,
        rng: &mut dyn CryptoRng,
        changes: &mut RowChanges,
    ) -> Result<(), ConversationError> {
        let open = self.is_ready()
            && self.group.is_active()
            && !self.group.has_pending_commit()
            && !self.must_commit()
            && !self.record.departed.contains(cx.me);
        let sealed = |entry: &&mut Entry| entry.accepted.is_none();
        if !open || self.may(cx, Action::SendMessage).is_err() {
            return Ok(());
        }
        let next = self.outbox.entries.iter_mut().find(sealed);
        let Some(entry) = next.filter(|entry| entry.sealed.is_none()) else {
            return Ok(());
        };
        // What was written after an intent goes out after it, so that who was added can read it; unless the intent
        // is held up.
        let held = match &self.record.work {
            Work::Keys { intent, .. } => intent.and_then(|number| self.intents.get(number)),
            _ => None,
        };
        if held.is_some_and(|intent| intent.after <= entry.number) {
            return Ok(());
        }
        let internal = |error: &dyn std::fmt::Display| ConversationError::Internal(error.to_string());
        let content = MimiContent::from_bytes(&entry.content).map_err(|error| internal(&error))?;
        let tag = frank::franking_tag(&content.salt.0, &entry.content);
        let message = self
            .group
            .encrypt(cx.device, vec![frank::safe_aad_item(tag)], &entry.content, rng)?;
        let request = SubmitMessageRequest {
            app_message: MlsMessage::from_bytes(&message).map_err(|error| internal(&error))?,
            sending_uri: cx.me.clone(),
        };
        entry.sealed = Some((request.to_bytes(), sha256(&message)));
        entry.write(changes);
        Ok(())
    }
}
