use sabir_wire::mls::ComponentId;
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
    /// People came onto the list of participants or went off it, by one commit. Roles are in
    /// [`ConversationEvent::RoleChanged`]; whoever has no client yet is on the list all the same.
    MembersChanged {
        /// Who came, with the index of their role.
        joined: Vec<Joining>,
        /// Who went.
        left: Vec<Leaving>,
        /// When the hub accepted the commit.
        accepted: Millis,
    },
    /// A person on the list has another role now. A ban is a change to [`crate::room::BANNED`].
    RoleChanged {
        /// Whose role.
        user: UserUri,
        /// Index of the role before.
        from: u32,
        /// Index of the role now.
        to: u32,
        /// Who did it.
        by: Option<UserUri>,
        /// When the hub accepted the commit.
        accepted: Millis,
    },
    /// The room is called otherwise now.
    Renamed {
        /// The new name; may be empty.
        name: String,
        /// Who did it.
        by: Option<UserUri>,
        /// When the hub accepted the commit.
        accepted: Millis,
    },
    /// A policy of the room is another one now.
    PolicyChanged {
        /// Which component.
        component: ComponentId,
        /// Who did it.
        by: Option<UserUri>,
        /// When the hub accepted the commit.
        accepted: Millis,
    },
    /// A person came back with their recovery code, under an identity key that the recovery key has put in the place of the
    /// one known here. Their devices of before are nobody's any more, and go out of the group with the next commit.
    CameBack {
        /// Who.
        user: UserUri,
        /// When the hub accepted the commit that brought the first device under the new key.
        accepted: Millis,
    },
    /// Messages go out from now on: the room is there, this client follows it, and of a direct room the other
    /// person has a client in it.
    Ready,
    /// A person on the list has no client that could be added yet; it is tried again. In a direct room messages
    /// wait for it, in a group they do not.
    Waiting {
        /// Whose clients are waited for.
        user: UserUri,
        /// Why, for people.
        reason: String,
        /// When it is tried again.
        until: Millis,
    },
    /// An intent is done: the room is as it was wanted. A person without key packages counts as added once on the
    /// list. Leaving counts as done once the hub knows of it; [`ConversationEvent::Removed`] follows.
    IntentDone {
        /// Which.
        local_id: LocalId,
    },
    /// An intent cannot be done, and is not tried again.
    IntentRefused {
        /// Which.
        local_id: LocalId,
        /// Why, for people.
        reason: String,
    },
    /// A message in the outbox will not go out any more. Its text is the shell's to keep.
    Unsent {
        /// Which.
        local_id: LocalId,
        /// Why, for people.
        reason: String,
    },
    /// This client is out of the room. Nothing goes out any more, and it does not come back by itself.
    Removed {
        /// How it came to that.
        how: Out,
        /// Who did it, where that is known.
        by: Option<UserUri>,
    },
    /// This client has lost the thread of the room and is coming back by itself; until
    /// [`ConversationEvent::Rejoined`] nothing can be read, and messages wait. The alarm before it says why.
    Repairing,
    /// This client came back, or came in by itself.
    Rejoined {
        /// Whether messages of the time in between may be missing here for ever: the timeline says so in one line.
        lost: bool,
        /// When the hub accepted the return.
        accepted: Millis,
    },
    /// Something is wrong that a person must know.
    Alarm(Alarm),
}

/// Somebody who came onto the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// Who.
    pub user: UserUri,
    /// Index of their role.
    pub role: u32,
    /// Who did it: somebody who may add people, or the person.
    pub by: Option<UserUri>,
}

/// Somebody who went off the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Who.
    pub user: UserUri,
    /// Who did it. Of somebody who left by themselves it is that person.
    pub by: Option<UserUri>,
}

/// How a client came out of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Out {
    /// Its person left.
    Left,
    /// Its person was removed.
    Removed,
    /// Its person was banned.
    Banned,
    /// This client alone was removed; its person is in the room.
    Client,
    /// The hub lets it in no more and does not say why.
    ShutOut,
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
    /// The hub's log does not fit the group: a commit is missing. This client comes back by itself.
    Gap {
        /// Epoch of the message.
        message: u64,
        /// Epoch of the group.
        group: u64,
    },
    /// A commit of the log cannot be applied, and this client comes back by itself where that helps.
    BadCommit {
        /// What is wrong.
        reason: String,
        /// Whose commit it is, where their signature proves it. No provider can check all of a commit, so a member's
        /// client can harm others by it; but the signature does not cover the commit's tags, which a provider on the
        /// way could have altered: it is a hint at them, and a proof only of whose commit it is.
        by: Option<UserUri>,
    },
    /// A client that was let in within the last day came in by itself in its own place: the Welcome it got was of no
    /// use to it. No provider can check what is in one; but one on the way could have altered it or kept it back, or the
    /// client lost what it needed: it is a hint at who let it in, and a proof only of who that was.
    BadWelcome {
        /// Who let it in.
        by: UserUri,
        /// Whose client it is.
        of: UserUri,
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
