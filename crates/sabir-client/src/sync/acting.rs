//! What a person does to messages from here: written down, sent in its turn, and in effect when the room's order has it.

use data_encoding::BASE64;
use sabir_core::room::ExpiryWish;
use sabir_core::timeline::{Act, Becomes, is_reaction, permit};
use sabir_wire::content::{
    Disposition, MessageId, MimiContent, NestedPart, Origin, PartBody, PartSemantics, TEXT_PLAIN, media_type,
};
use sabir_wire::uri::{RoomUri, UserUri};

use super::keeper::{Keeper, Work};
use super::outgoing::queue;
use super::received::{Target, message_id};
use super::{Client, ClientError, MAX_TEXT};
use crate::store::{Change, Deed, DeedKind, Marks, StoreError, TimelineRow};
use crate::types::{Message, Room, Settings, Version};

/// Digits of the largest number of a message.
const MAX_DIGITS: usize = 20;

impl Client {
    /// Answers a message with a text. `message` is its number ([`Message::id`]) or its message id in hexadecimal, here
    /// and below. On return the answer is on disk and will go out, as with [`Self::send_text`].
    ///
    /// # Errors
    /// [`ClientError::NotAllowed`], [`ClientError::NoMessage`], [`ClientError::NotSentYet`], and the others; nothing was
    /// written then.
    pub async fn reply(&self, message: &str, text: &str) -> Result<u64, ClientError> {
        let (message, text) = (message.to_owned(), text.to_owned());
        let keep = &self.0.keep;
        keep.run(move |keeper| keeper.reply(&message, &text)).await?
    }

    /// Reacts to a message. On return the reaction is on disk and will go out; it shows when the room's order has it.
    /// [`Self::outgoing`] says what became of it, here and below.
    ///
    /// # Errors
    /// [`ClientError::Reaction`] where it is none or is there already, and those of [`Self::reply`].
    pub async fn react(&self, message: &str, reaction: &str) -> Result<u64, ClientError> {
        let (message, reaction) = (message.to_owned(), reaction.to_owned());
        let keep = &self.0.keep;
        keep.run(move |keeper| keeper.react(&message, &reaction)).await?
    }

    /// Takes an own reaction back.
    ///
    /// # Errors
    /// [`ClientError::Reaction`] where there is none, and those of [`Self::reply`].
    pub async fn unreact(&self, message: &str, reaction: &str) -> Result<u64, ClientError> {
        let (message, reaction) = (message.to_owned(), reaction.to_owned());
        let keep = &self.0.keep;
        keep.run(move |keeper| keeper.unreact(&message, &reaction))
            .await?
    }

    /// Gives an own message another text.
    ///
    /// # Errors
    /// [`ClientError::NotText`] where the message holds more than text, and those of [`Self::reply`].
    pub async fn edit(&self, message: &str, text: &str) -> Result<u64, ClientError> {
        let (message, text) = (message.to_owned(), text.to_owned());
        let keep = &self.0.keep;
        keep.run(move |keeper| keeper.edit(&message, &text)).await?
    }

    /// Takes a message back, at everybody who was sent it.
    ///
    /// # Errors
    /// Those of [`Self::reply`].
    pub async fn delete(&self, message: &str) -> Result<u64, ClientError> {
        let message = message.to_owned();
        self.0.keep.run(move |keeper| keeper.delete(&message)).await?
    }

    /// The person has read a room (as for [`Self::room`]) up to a message, or to its end. Others are told so where the
    /// room and [`Settings::read_receipts`] let them.
    ///
    /// # Errors
    /// [`ClientError::NoMessage`] where the message is not in that room, and those of [`Self::room`].
    pub async fn mark_read(&self, of: &str, until: Option<&str>) -> Result<Room, ClientError> {
        let (of, until) = (of.to_owned(), until.map(str::to_owned));
        let keep = &self.0.keep;
        keep.run(move |keeper| keeper.mark_read(&of, until.as_deref()))
            .await?
    }

    /// One message.
    ///
    /// # Errors
    /// [`ClientError::NoMessage`], and failures of the profile.
    pub async fn message(&self, message: &str) -> Result<Message, ClientError> {
        let message = message.to_owned();
        self.0.keep.run(move |keeper| keeper.message(&message)).await?
    }

    /// What a message said before and says now, oldest first. Empty where it was deleted.
    ///
    /// # Errors
    /// As [`Self::message`].
    pub async fn versions(&self, message: &str) -> Result<Vec<Version>, ClientError> {
        let message = message.to_owned();
        self.0.keep.run(move |keeper| keeper.versions(&message)).await?
    }

    /// Local ids of what was asked from here, is no message of its own, and was not decided yet.
    ///
    /// # Errors
    /// [`ClientError::Store`], or [`ClientError::Stopped`].
    pub async fn asked(&self) -> Result<Vec<u64>, ClientError> {
        self.0
            .keep
            .run(|keeper| {
                let rows = keeper.store.read(|tx| tx.waiting_deeds(None))?;
                Ok(rows.into_iter().filter_map(|row| row.local_id).collect())
            })
            .await?
    }

    /// What the person set.
    ///
    /// # Errors
    /// [`ClientError::Store`], or [`ClientError::Stopped`].
    pub async fn settings(&self) -> Result<Settings, ClientError> {
        self.0.keep.run(Keeper::settings).await?
    }

    /// Keeps what the person set.
    ///
    /// # Errors
    /// [`ClientError::Store`], or [`ClientError::Stopped`].
    pub async fn set_settings(&self, settings: Settings) -> Result<(), ClientError> {
        self.0
            .keep
            .run(move |keeper| keeper.set_settings(settings))
            .await?
    }
}

impl Keeper {
    /// A message by its number or its message id, with its room.
    pub(super) fn locate(&mut self, message: &str) -> Result<(RoomUri, TimelineRow), ClientError> {
        let me = self.me.clone();
        let found = self.store.read(|tx| {
            if message.len() <= MAX_DIGITS
                && let Ok(number) = message.parse()
            {
                let found = tx.message_by_number(number)?;
                return Ok(found.map(|(record, row)| (record.room, row)));
            }
            let Some(id) = message_id(message) else {
                return Ok(None);
            };
            for record in tx.rooms()? {
                if let Some(Target::Message(row)) = Target::find(tx, &record.room, &id.to_string(), &me)? {
                    return Ok(Some((record.room, row)));
                }
            }
            Ok::<_, StoreError>(None)
        })?;
        let (room, row) = found.ok_or(ClientError::NoMessage)?;
        Ok((RoomUri::parse(&room)?, row))
    }

    fn reply(&mut self, message: &str, text: &str) -> Result<u64, ClientError> {
        check_text(text)?;
        let (room, row) = self.locate(message)?;
        let to = newest(&row)?;
        self.check(&room, &Act::Reply { to }, &Target::Message(row))?;
        let me = self.me.clone();
        let marks = Marks {
            reply_to: Some(to.to_string()),
            ..Marks::default()
        };
        let local_id = self.step(&room, "queue reply", |step| {
            let compose = |origin: Origin<'_>| MimiContent::plain(origin, text).replying_to(to);
            queue(step, &me, text, (marks, ExpiryWish::Room), compose)
        })?;
        self.work(Work::Room(room));
        Ok(local_id)
    }

    fn react(&mut self, message: &str, reaction: &str) -> Result<u64, ClientError> {
        if !is_reaction(reaction) {
            return Err(ClientError::Reaction("a reaction is one emoji or short word"));
        }
        let (room, row) = self.locate(message)?;
        let to = newest(&row)?;
        if !self.own_reactions(&row, reaction).is_empty() {
            return Err(ClientError::Reaction("you have reacted so already"));
        }
        let act = Act::React {
            to,
            reactions: vec![reaction.to_owned()],
        };
        let target = row.id;
        self.check(&room, &act, &Target::Message(row))?;
        let compose = |origin: Origin<'_>| MimiContent::reaction(origin, to, reaction);
        self.ask(&room, target, empty_reaction(), compose)
    }

    fn unreact(&mut self, message: &str, reaction: &str) -> Result<u64, ClientError> {
        let (room, row) = self.locate(message)?;
        let target = row.id;
        let mut asked = None;
        // The same reaction may have come from several devices.
        for deed in self.own_reactions(&row, reaction) {
            let rest: Vec<String> = row
                .entry
                .marks
                .reactions
                .iter()
                .filter(|reacted| reacted.deed == deed && reacted.reaction != reaction)
                .map(|reacted| reacted.reaction.clone())
                .collect();
            let Some(found) = self.store.read(|tx| tx.deed(deed))? else {
                continue;
            };
            let first = found.deed.message_id.as_deref().and_then(message_id);
            let (DeedKind::Reaction { content, .. }, Some(of)) = (&found.deed.kind, first) else {
                continue;
            };
            let previous = decode(content).ok_or(ClientError::NoMessage)?;
            let act = if rest.is_empty() {
                Act::Delete { of }
            } else {
                let becomes = Becomes::Reactions(rest.clone());
                Act::Edit { of, becomes }
            };
            self.check(&room, &act, &Target::Reaction(found))?;
            let compose = |origin: Origin<'_>| {
                if rest.is_empty() {
                    MimiContent::delete(origin, of, &previous)
                } else {
                    MimiContent::edit(origin, of, &previous, reaction_part(&rest))
                }
            };
            asked = Some(self.ask(&room, target, DeedKind::Deletion, compose)?);
        }
        asked.ok_or(ClientError::Reaction("you have not reacted so"))
    }

    fn edit(&mut self, message: &str, text: &str) -> Result<u64, ClientError> {
        check_text(text)?;
        let (room, row) = self.locate(message)?;
        let of = first(&row)?;
        let previous = decode(&row.entry.content);
        let target = row.id;
        let act = Act::Edit {
            of,
            becomes: Becomes::Message,
        };
        self.check(&room, &act, &Target::Message(row))?;
        let previous = previous.filter(is_text).ok_or(ClientError::NotText)?;
        let part = NestedPart::single(Disposition::RENDER, TEXT_PLAIN, text);
        let compose = |origin: Origin<'_>| MimiContent::edit(origin, of, &previous, part);
        self.ask(&room, target, DeedKind::Edit { before: None }, compose)
    }

    fn delete(&mut self, message: &str) -> Result<u64, ClientError> {
        let (room, row) = self.locate(message)?;
        let of = first(&row)?;
        let previous = decode(&row.entry.content);
        let target = row.id;
        self.check(&room, &Act::Delete { of }, &Target::Message(row))?;
        let compose = |origin: Origin<'_>| match &previous {
            Some(previous) => MimiContent::delete(origin, of, previous),
            None => MimiContent::new(origin, NestedPart::null(Disposition::RENDER)).replacing(of),
        };
        self.ask(&room, target, DeedKind::Deletion, compose)
    }

    /// Writes down what was asked, for the message with the number `target`.
    fn ask(
        &mut self,
        room: &RoomUri,
        target: u64,
        kind: DeedKind,
        compose: impl FnOnce(Origin<'_>) -> MimiContent,
    ) -> Result<u64, ClientError> {
        let me = self.me.clone();
        let local_id = self.step(room, "queue deed", |step| {
            let local_id = step.tx.next_local_id()?;
            let id = super::apply::engine_id(local_id);
            let effects = step.engine.send(step.cx, id, compose, step.rng)?;
            step.absorb(effects)?;
            let deed = Deed::queued(kind, me.as_str(), step.now);
            step.tx
                .append_deed(room.as_str(), target, Some(local_id), &deed)?;
            step.tx.append_change(&Change::Asked { local_id })?;
            Ok(local_id)
        })?;
        self.work(Work::Room(room.clone()));
        Ok(local_id)
    }

    /// Refuses what the room would refuse.
    fn check(&mut self, room: &RoomUri, act: &Act, target: &Target) -> Result<(), ClientError> {
        let me: UserUri = self.me.clone();
        let sender = target.sender().ok_or(ClientError::NoMessage)?;
        self.step(room, "check deed", |step| {
            permit(step.engine.state(), &me, act, Some(target.fact(&sender))).map_err(ClientError::NotAllowed)
        })
    }

    /// The deeds by which this person has reacted so.
    fn own_reactions(&self, row: &TimelineRow, reaction: &str) -> Vec<u64> {
        let reactions = row.entry.marks.reactions.iter();
        reactions
            .filter(|reacted| reacted.from == self.me.as_str() && reacted.reaction == reaction)
            .map(|reacted| reacted.deed)
            .collect()
    }
}

fn check_text(text: &str) -> Result<(), ClientError> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(ClientError::Text);
    }
    Ok(())
}

/// The version that replies and reactions name: the newest (draft-ietf-mimi-content §4.1).
fn newest(row: &TimelineRow) -> Result<MessageId, ClientError> {
    let marks = &row.entry.marks;
    let id = marks.version.as_deref().or(row.entry.message_id.as_deref());
    id.and_then(message_id).ok_or_else(|| unnamed(row))
}

/// The version that edits and deletions name: the first (draft-ietf-mimi-content §5.5).
fn first(row: &TimelineRow) -> Result<MessageId, ClientError> {
    let marks = &row.entry.marks;
    let id = marks.first.as_deref().or(row.entry.message_id.as_deref());
    id.and_then(message_id).ok_or_else(|| unnamed(row))
}

fn unnamed(row: &TimelineRow) -> ClientError {
    // What cannot be read has no id, and never will.
    if row.local_id.is_some() {
        ClientError::NotSentYet
    } else {
        ClientError::NoMessage
    }
}

fn decode(content: &str) -> Option<MimiContent> {
    MimiContent::from_bytes(&BASE64.decode(content.as_bytes()).ok()?).ok()
}

/// Whether a message is one text and nothing else.
fn is_text(content: &MimiContent) -> bool {
    let PartBody::Single(single) = &content.part.body else {
        return false;
    };
    let kind = media_type(&single.content_type);
    ["text/plain", "text/markdown"]
        .iter()
        .any(|text| kind.eq_ignore_ascii_case(text))
}

fn reaction_part(reactions: &[String]) -> NestedPart {
    let part = |text: &String| NestedPart::single(Disposition::REACTION, TEXT_PLAIN, text.as_str());
    match reactions {
        [one] => part(one),
        several => {
            let parts = several.iter().map(part).collect();
            NestedPart::multi(Disposition::REACTION, PartSemantics::ProcessAll, parts)
        }
    }
}

fn empty_reaction() -> DeedKind {
    DeedKind::Reaction {
        content: String::new(),
        frank: None,
        deleted: false,
    }
}
