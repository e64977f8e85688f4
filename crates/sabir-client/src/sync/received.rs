//! What a message of the log does to the timeline: the effects that `sabir_core::timeline` decides, written down.

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use sabir_core::conversation::{Conversation, FrankState, MessageEvent};
use sabir_core::room::against_rules;
use sabir_core::timeline::{Act, Actor, Becomes, Effect, Fact, Kind, Refusal, judge};
use sabir_wire::codec::Encode as _;
use sabir_wire::content::{Expiration, MessageId, MimiContent};
use sabir_wire::uri::UserUri;

use super::apply::{local_id, text_of};
use super::{expiry, receipts};
use crate::files::listing;
use crate::store::{
    Change, Deed, DeedKind, DeedRow, Deletion, Entry, Marks, Reacted, StoreError, TimelineRow, Tx, Version,
};
use crate::types::MessageState;

/// Reactions that a message keeps; what comes beyond is passed over.
const MAX_REACTED: usize = 1024;

/// What an act is about, as far as it is here.
#[expect(clippy::large_enum_variant, reason = "one at a time, and never kept")]
pub(super) enum Target {
    /// A message.
    Message(TimelineRow),
    /// A reaction, and the message that it is to.
    Reaction(DeedRow),
}

impl Target {
    /// The message or reaction that is known by `id` (hexadecimal) in a room. Where its first instance never was here,
    /// `actor` may have edited it all the same.
    pub(super) fn find(
        tx: &Tx<'_>,
        room: &str,
        id: &str,
        actor: &UserUri,
    ) -> Result<Option<Self>, StoreError> {
        if let Some(row) = tx.message_by_id(room, id)? {
            return Ok(Some(Self::Message(row)));
        }
        if let Some(row) = tx.deed_by_id(room, id)? {
            return Ok(match row.deed.kind {
                DeedKind::Reaction { .. } => Some(Self::Reaction(row)),
                DeedKind::Edit { .. } => tx.message(room, row.target)?.map(Self::Message),
                DeedKind::Deletion | DeedKind::Room => None,
            });
        }
        match tx.orphan(room, id, actor.as_str())? {
            Some(row) => Ok(tx.message(room, row)?.map(Self::Message)),
            None => Ok(None),
        }
    }

    /// Its sender. A row without one says nothing that could be acted upon.
    pub(super) fn sender(&self) -> Option<UserUri> {
        let sender = match self {
            Self::Message(row) => &row.entry.sender,
            Self::Reaction(row) => &row.deed.sender,
        };
        UserUri::parse(sender).ok()
    }

    /// What the rules need to know.
    pub(super) fn fact<'a>(&self, sender: &'a UserUri) -> Fact<'a> {
        let (kind, deleted) = match self {
            Self::Message(row) => (Kind::Message, row.entry.marks.deleted.is_some()),
            Self::Reaction(row) => {
                let deleted = matches!(row.deed.kind, DeedKind::Reaction { deleted: true, .. });
                (Kind::Reaction, deleted)
            }
        };
        Fact {
            sender,
            kind,
            deleted,
        }
    }
}

/// The bytes of a message id in hexadecimal.
pub(super) fn message_id(hex: &str) -> Option<MessageId> {
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
    MessageId::new(bytes.try_into().ok()?)
}

/// Writes down what a message brought about that took its place in the room.
pub(super) fn receive(
    tx: &mut Tx<'_>,
    me: &UserUri,
    engine: &Conversation,
    event: MessageEvent,
) -> Result<(), StoreError> {
    let room = engine.room().as_str();
    let local = event.local_id.and_then(local_id);
    let row = match local {
        Some(local) => tx.message_by_local_id(local)?.map(|(_, row)| row),
        None => None,
    };
    let deed = match local {
        Some(local) => tx.deed_by_local_id(local)?.map(|(_, row)| row),
        None => None,
    };
    let id = HEXLOWER.encode(&event.message_id);
    let is_new = row.is_none() && deed.is_none();
    // draft-ietf-mimi-content §9.1: an id that came before is discarded.
    if is_new && (tx.message_by_id(room, &id)?.is_some() || tx.deed_by_id(room, &id)?.is_some()) {
        return Ok(());
    }
    // The engine has decoded it before.
    let content = MimiContent::from_bytes(&event.content).ok();
    let act = content.as_ref().map_or(Ok(Act::Say), Act::read);
    let target = match act.as_ref().ok().and_then(Act::target) {
        Some(id) => Target::find(tx, room, &id.to_string(), &event.sender)?,
        None => None,
    };
    let sender = target.as_ref().and_then(Target::sender);
    let fact = target.as_ref().zip(sender.as_ref());
    let fact = fact.map(|(target, sender)| target.fact(sender));
    let actor = Actor {
        user: &event.sender,
        verified: event.verified,
    };
    let (act, effect) = match act {
        Ok(act) => {
            let effect = judge(engine.state(), actor, &act, fact);
            (act, effect)
        }
        Err(refusal) => (Act::Report(Default::default()), Effect::Refused(refusal)),
    };
    Receiving {
        tx,
        me,
        room,
        id,
        local,
        row,
        deed,
        breaks: content
            .as_ref()
            .map(|content| against_rules(engine.state(), &event.sender, content, event.accepted))
            .unwrap_or_default(),
        content: content.clone(),
        event,
    }
    .bring_about(&act, effect, target)
}

struct Receiving<'a, 't> {
    tx: &'a mut Tx<'t>,
    me: &'a UserUri,
    room: &'a str,
    /// The message's id, in hexadecimal.
    id: String,
    /// What its sender was told, where it was written here.
    local: Option<u64>,
    /// Its line in the timeline, where it was written here and is a message.
    row: Option<TimelineRow>,
    /// The deed it was written down as, where it was written here and is none.
    deed: Option<DeedRow>,
    /// What it says, decoded.
    content: Option<MimiContent>,
    /// What of it is against the room's rules.
    breaks: Vec<String>,
    event: MessageEvent,
}

impl Receiving<'_, '_> {
    fn bring_about(&mut self, act: &Act, effect: Effect, target: Option<Target>) -> Result<(), StoreError> {
        match (effect, act, target) {
            (Effect::Add, _, _) => {
                let reply_to = act.target().map(ToString::to_string);
                let marks = Marks {
                    reply_to,
                    ..Marks::default()
                };
                match self.add(marks)? {
                    Some(id) => self.begin_expiry(id),
                    None => Ok(()),
                }
            }
            (Effect::AddEdited, Act::Edit { of, .. }, _) => self.add_edited(&of.to_string()),
            (Effect::React, Act::React { reactions, .. }, Some(Target::Message(row))) => {
                self.react(row, reactions)
            }
            (Effect::Edit, _, Some(Target::Message(row))) => self.edit(row),
            (
                Effect::EditReaction,
                Act::Edit {
                    becomes: Becomes::Reactions(reactions),
                    ..
                },
                Some(Target::Reaction(reaction)),
            ) => self.edit_reaction(reaction, reactions),
            (Effect::Delete, _, Some(Target::Message(row))) => self.delete(row),
            (Effect::DeleteReaction, _, Some(Target::Reaction(reaction))) => self.delete_reaction(reaction),
            (Effect::Report, Act::Report(report), _) => {
                let (by, accepted) = (&self.event.sender, self.event.accepted);
                receipts::take(self.tx, self.me, self.room, by, report, accepted)
            }
            (Effect::Refused(refusal), _, _) => self.refuse(act, refusal),
            // What it is about is not here, and will not come.
            _ => self.settle(Some("what it is about is not here".to_owned())),
        }
    }

    /// The message as a line of the timeline.
    fn entry(&self, marks: Marks) -> Entry {
        let event = &self.event;
        let marks = Marks {
            files: listing(&event.content),
            expires_after: match self.expires() {
                Some(Expiration::Relative(after)) => Some(after),
                _ => None,
            },
            breaks: self.breaks.clone(),
            ..marks
        };
        Entry {
            sender: event.sender.to_string(),
            text: text_of(&event.content),
            content: BASE64.encode(&event.content),
            frank: self.frank(),
            message_id: Some(self.id.clone()),
            timestamp: event.accepted,
            state: if self.local.is_some() {
                MessageState::Sent
            } else {
                MessageState::Received
            },
            own: event.sender == *self.me,
            verified: event.verified && event.frank_state == FrankState::Verified,
            problem: None,
            marks,
        }
    }

    /// When it expires, where it asks for no nonsense.
    fn expires(&self) -> Option<Expiration> {
        let expires = self.content.as_ref().and_then(|content| content.expires);
        expires.filter(|expires| expires.is_plausible_at(self.event.accepted / 1_000))
    }

    fn begin_expiry(&mut self, id: u64) -> Result<(), StoreError> {
        let own = self.event.sender == *self.me;
        expiry::begin(self.tx, id, self.expires(), (own, self.event.accepted))
    }

    fn frank(&self) -> Option<String> {
        let frank = self.event.frank.as_ref();
        frank.map(|frank| BASE64.encode(&frank.to_bytes()))
    }

    /// A line of its own at the end of the room's order.
    fn add(&mut self, marks: Marks) -> Result<Option<u64>, StoreError> {
        let entry = self.entry(marks);
        self.place(&entry)
    }

    fn place(&mut self, entry: &Entry) -> Result<Option<u64>, StoreError> {
        let room = self.room.to_owned();
        if let Some(row) = self.row.take() {
            self.tx.update_message(&room, row.id, entry)?;
            self.tx.put_in_order(&room, row.id)?;
            self.tx
                .append_change(&Change::MessageChanged { room, id: row.id })?;
            return Ok(Some(row.id));
        }
        let Some(id) = self.tx.append_message(&room, entry)? else {
            return Ok(None);
        };
        if entry.asks_for_receipt() {
            self.tx.count_unread(&room)?;
        }
        self.tx.append_change(&Change::MessageAdded { room, id })?;
        Ok(Some(id))
    }

    /// A new version of what never was here is a line of its own from here on.
    fn add_edited(&mut self, first: &str) -> Result<(), StoreError> {
        let marks = Marks {
            first: Some(first.to_owned()),
            edited: Some(self.event.accepted),
            ..Marks::default()
        };
        let Some(id) = self.add(marks)? else {
            return Ok(());
        };
        self.begin_expiry(id)?;
        let mut alias = self.done(DeedKind::Edit { before: None });
        // The line itself is found by its id.
        alias.message_id = None;
        self.tx.append_orphan(self.room, id, first, &alias)?;
        self.settle(None)
    }

    fn react(&mut self, mut row: TimelineRow, reactions: &[String]) -> Result<(), StoreError> {
        if row.entry.marks.reactions.len().saturating_add(reactions.len()) > MAX_REACTED {
            return self.settle(Some("the message has too many reactions".to_owned()));
        }
        let kind = self.reaction();
        let deed = self.keep(row.id, kind)?;
        let from = self.event.sender.to_string();
        let added = reactions.iter().map(|reaction| Reacted {
            from: from.clone(),
            reaction: reaction.clone(),
            deed,
        });
        row.entry.marks.reactions.extend(added);
        self.changed(&row)
    }

    fn edit_reaction(&mut self, reaction: DeedRow, reactions: &[String]) -> Result<(), StoreError> {
        let Some(mut row) = self.tx.message(self.room, reaction.target)? else {
            return Ok(());
        };
        let kept = &mut row.entry.marks.reactions;
        let place = kept
            .iter()
            .position(|reacted| reacted.deed == reaction.id)
            .unwrap_or(kept.len());
        kept.retain(|reacted| reacted.deed != reaction.id);
        let place = place.min(kept.len());
        let new = reactions.iter().take(MAX_REACTED.saturating_sub(kept.len()));
        let from = self.event.sender.to_string();
        let new: Vec<_> = new
            .map(|text| Reacted {
                from: from.clone(),
                reaction: text.clone(),
                deed: reaction.id,
            })
            .collect();
        kept.splice(place..place, new);
        let kind = self.reaction();
        let deed = Deed {
            kind,
            ..reaction.deed
        };
        self.tx.update_deed(self.room, reaction.id, &deed)?;
        self.settle(None)?;
        self.changed(&row)
    }

    fn delete_reaction(&mut self, reaction: DeedRow) -> Result<(), StoreError> {
        let kind = DeedKind::Reaction {
            content: String::new(),
            frank: None,
            deleted: true,
        };
        let deed = Deed {
            kind,
            ..reaction.deed
        };
        self.tx.update_deed(self.room, reaction.id, &deed)?;
        self.settle(None)?;
        let Some(mut row) = self.tx.message(self.room, reaction.target)? else {
            return Ok(());
        };
        row.entry
            .marks
            .reactions
            .retain(|reacted| reacted.deed != reaction.id);
        self.changed(&row)
    }

    /// The newest version stands in the line; the deed keeps the one before it.
    fn edit(&mut self, mut row: TimelineRow) -> Result<(), StoreError> {
        let new = self.entry(Marks::default());
        let entry = &mut row.entry;
        let before = Version {
            message_id: entry.marks.version.take().or_else(|| entry.message_id.clone()),
            text: std::mem::replace(&mut entry.text, new.text),
            timestamp: entry.marks.edited.unwrap_or(entry.timestamp),
            content: std::mem::replace(&mut entry.content, new.content),
            frank: std::mem::replace(&mut entry.frank, new.frank),
        };
        entry.marks.files = new.marks.files;
        entry.marks.breaks = new.marks.breaks;
        entry.marks.version = Some(self.id.clone());
        entry.marks.edited = Some(self.event.accepted);
        entry.verified = entry.verified && new.verified;
        self.keep(row.id, DeedKind::Edit { before: Some(before) })?;
        self.changed(&row)
    }

    /// Text, content and everything done to the message go; its place stays.
    fn delete(&mut self, row: TimelineRow) -> Result<(), StoreError> {
        self.settle(None)?;
        let deleted = Deletion {
            by: self.event.sender.to_string(),
            at: self.event.accepted,
        };
        self.tx.erase_message(self.room, row, deleted, false)
    }

    /// Nothing comes of it, and people are told where that is not for an innocent reason.
    fn refuse(&mut self, act: &Act, refusal: Refusal) -> Result<(), StoreError> {
        if self.deed.is_some() {
            return self.settle(Some(refusal.to_string()));
        }
        if refusal.is_innocent() || matches!(act, Act::Report(_)) {
            tracing::debug!(%refusal, "a message has no effect");
            return Ok(());
        }
        let what = match act {
            Act::Say | Act::Reply { .. } | Act::Report(_) => "A message",
            Act::React { .. } => "A reaction",
            Act::Edit { .. } => "A change of a message",
            Act::Delete { .. } => "The deletion of a message",
        };
        let problem = Some(format!("{what} was refused: {refusal}"));
        let is_own = self.row.is_some();
        let entry = self.entry(Marks::default());
        let entry = if is_own {
            Entry {
                state: MessageState::Failed,
                problem,
                ..entry
            }
        } else {
            // The content stays, so that it can be reported.
            Entry {
                text: String::new(),
                problem,
                ..entry
            }
        };
        match self.place(&entry)? {
            Some(id) => self.begin_expiry(id),
            None => Ok(()),
        }
    }

    fn reaction(&self) -> DeedKind {
        DeedKind::Reaction {
            content: BASE64.encode(&self.event.content),
            frank: self.frank(),
            deleted: false,
        }
    }

    /// This message as a deed that is done.
    fn done(&self, kind: DeedKind) -> Deed {
        Deed {
            kind,
            sender: self.event.sender.to_string(),
            message_id: Some(self.id.clone()),
            timestamp: self.event.accepted,
            state: if self.local.is_some() {
                MessageState::Sent
            } else {
                MessageState::Received
            },
            problem: None,
        }
    }

    /// Writes this message down as a deed; says its number.
    fn keep(&mut self, target: u64, kind: DeedKind) -> Result<u64, StoreError> {
        let done = self.done(kind);
        match self.deed.take() {
            Some(row) => {
                self.tx.update_deed(self.room, row.id, &done)?;
                self.told(row.local_id)?;
                Ok(row.id)
            }
            None => self.tx.append_deed(self.room, target, None, &done),
        }
    }

    /// Ends what was asked from here and leaves nothing that would have to be found again.
    fn settle(&mut self, problem: Option<String>) -> Result<(), StoreError> {
        let Some(row) = self.deed.take() else {
            return Ok(());
        };
        let mut done = self.done(DeedKind::Deletion);
        if problem.is_some() {
            done.state = MessageState::Failed;
            done.problem = problem;
        }
        self.tx.update_deed(self.room, row.id, &done)?;
        self.told(row.local_id)
    }

    fn told(&mut self, local_id: Option<u64>) -> Result<(), StoreError> {
        if let Some(local_id) = local_id {
            self.tx.append_change(&Change::Asked { local_id })?;
        }
        Ok(())
    }

    fn changed(&mut self, row: &TimelineRow) -> Result<(), StoreError> {
        self.tx.update_message(self.room, row.id, &row.entry)?;
        self.tx.append_change(&Change::MessageChanged {
            room: self.room.to_owned(),
            id: row.id,
        })?;
        Ok(())
    }
}
