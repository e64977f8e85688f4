use sabir_wire::protocol::Frank;
use sabir_wire::uri::{ClientUri, UserUri};

use super::LocalId;
use crate::Millis;
use crate::frank::FrankError;

/// What happened in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConversationEvent {
    /// The hub accepted a message of this client; its place in the room comes with the log.
    Accepted {
        /// Which.
        local_id: LocalId,
        /// When, by the hub's clock.
        accepted: Millis,
    },
    /// A message took its place in the room, a message of this client included.
    Message(Box<MessageEvent>),
    /// A message took its place that cannot be read; the text says why.
    Unreadable {
        /// When the hub accepted it.
        accepted: Millis,
        /// Why, for people.
        reason: String,
    },
    /// Clients came or went.
    Members {
        /// Clients that came, with their person.
        added: Vec<(ClientUri, UserUri)>,
        /// Clients that went, with their person.
        removed: Vec<(ClientUri, UserUri)>,
        /// When the hub accepted the commit.
        accepted: Millis,
    },
    /// The other person has a client in the room now: messages go out.
    Ready,
    /// The other person has no client that could be added yet; it is tried again.
    Waiting {
        /// Why, for people.
        reason: String,
        /// When it is tried again.
        until: Millis,
    },
    /// This client was removed from the room.
    Removed,
    /// Something is wrong that a person must know.
    Alarm(Alarm),
}

/// What a person must know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alarm {
    /// A leaf came in whose identity is not proved, though the hub let it. Sending stops
    /// ([`super::Conversation::resume_sending`]).
    Unverified {
        /// What is wrong.
        reason: String,
    },
    /// The hub let a commit or proposal into the log that the room's rules forbid. Sending stops.
    Forbidden {
        /// What is wrong.
        reason: String,
    },
    /// The hub does not take this client's messages. Sending stops, and what was written waits.
    SendingRefused {
        /// Why, for people.
        reason: String,
    },
    /// The hub's log does not fit the group: a message or commit is missing.
    Gap {
        /// Epoch of the message.
        message: u64,
        /// Epoch of the group.
        group: u64,
    },
    /// A commit of the log cannot be applied.
    BadCommit {
        /// What is wrong.
        reason: String,
    },
    /// The provider refused the room or the commit.
    Refused {
        /// What it said.
        reason: String,
    },
}

/// What is known of a message's frank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrankState {
    /// It holds; the message can be reported.
    Verified,
    /// The message cannot be reported.
    Unverified(FrankError),
}

/// A message in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEvent {
    /// Message id (draft-ietf-mimi-content §3.3).
    pub message_id: [u8; 32],
    /// Who sent it: the person of the sender's leaf.
    pub sender: UserUri,
    /// The outbox entry, where this client sent it.
    pub local_id: Option<LocalId>,
    /// The encoded MIMI content.
    pub content: Vec<u8>,
    /// When the hub accepted it.
    pub accepted: Millis,
    /// The frank as it came, for a later report.
    pub frank: Option<Frank>,
    /// What is known of it.
    pub frank_state: FrankState,
    /// Whether the identity of the sender's client was proved when it came in.
    pub verified: bool,
}
