//! Messages, rooms and events as faces see them.
//!
//! Every type is plain data and serialises to JSON with the field names written here; a field may be added, none
//! changes its meaning. Times are milliseconds since the UNIX epoch. People are named by address
//! (`bob@b.example`), rooms by their `mimi://` identifier.

mod groups;
mod links;
mod rules;

use serde::{Deserialize, Serialize};

pub use crate::files::{Direction, FileInfo, Transfer, TransferState};
pub use groups::{Asked, AwaitedStep, MEMBER_ROLE, NewRoom, Person, RoomChange, RoomDetails, Wish};
pub use links::{LinkWish, MadeLink, RoomLink};
pub use rules::{Choice, RolePowers, Rules};
pub use sabir_core::room::Template;

/// The account of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The person's address.
    pub address: String,
    /// The person's identifier.
    pub user: String,
    /// This device's identifier.
    pub client: String,
    /// The provider's domain.
    pub provider: String,
    /// What the person called this device.
    pub device_name: String,
}

/// The devices of the profile's person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// Version of the newest signed list.
    pub version: u64,
    /// Those on it that the provider knows.
    pub devices: Vec<Device>,
    /// How many more are on it: on their way, or never arrived.
    pub missing: u64,
}

/// A device of the profile's person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The device's identifier.
    pub client: String,
    /// What the person called it, where that is known here.
    pub name: Option<String>,
    /// Whether it is this one.
    pub this: bool,
    /// Whether it holds the identity key, so that it may link others; known of this device alone.
    pub may_link: Option<bool>,
    /// When the provider registered it.
    pub added_ms: u64,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Written down here, and on its way: the hub has not accepted it yet.
    Queued,
    /// Accepted by the room's hub.
    Sent,
    /// Somebody else's, or one's own from another device.
    Received,
    /// It will not be sent; [`Message::problem`] says why.
    Failed,
}

/// A message in a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The room's identifier. For a message to somebody whose room does not exist yet, empty.
    pub room: String,
    /// Number of the message within this profile. It never changes and is never used again.
    pub id: u64,
    /// Where the message stands in the room: larger is later. It changes once for a message sent from here, when
    /// the hub has put it into the room's order.
    pub position: u64,
    /// The message id of draft-ietf-mimi-content §3.3, in hexadecimal; absent until the message is encrypted.
    pub message_id: Option<String>,
    /// What `send_text` returned, for messages sent from here.
    pub local_id: Option<u64>,
    /// The sender's address.
    pub from: String,
    /// The text, as the sender wrote it: a face must strip control characters before it shows them.
    pub text: String,
    /// When the hub accepted it, or for a queued message when it was written.
    pub timestamp_ms: u64,
    /// Where it stands.
    pub state: MessageState,
    /// Whether the person of this profile wrote it.
    pub own: bool,
    /// Whether its sender was proven: by a certificate that holds and by the hub's frank where the room has one.
    pub verified: bool,
    /// What is wrong with it, in a sentence for people.
    pub problem: Option<String>,
    /// What it answers and what was done to it: fields of the message itself in JSON.
    #[serde(flatten)]
    pub marks: Marks,
}

/// What a message answers, and what was done to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Files that came with it.
    pub files: Vec<FileInfo>,
    /// What it answers.
    pub reply_to: Option<Quote>,
    /// When its text was last changed; the text is the newest.
    pub edited_ms: Option<u64>,
    /// Who took it back, by address; its text is gone then.
    pub deleted_by: Option<String>,
    /// When it expires, in milliseconds since the epoch, where that is known already.
    pub expires_ms: Option<u64>,
    /// After how many seconds it expires once it was read, where it does so.
    pub expires_after_s: Option<u32>,
    /// Whether its time was over; its text is gone then.
    pub expired: bool,
    /// What of it is against the rules of its room, a sentence each without its full stop.
    pub breaks: Vec<String>,
    /// Reactions to it, each with the people who reacted so, in the order they came.
    pub reactions: Vec<Reaction>,
    /// Of one's own message: who has it, by address.
    pub delivered_to: Vec<String>,
    /// Of one's own message: who has read it, by address.
    pub read_by: Vec<String>,
    /// Where the line is no message: what happened in the room. Text and message id are empty then.
    pub change: Option<RoomChange>,
}

/// The message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The id of the version that is answered, in hexadecimal.
    pub message_id: String,
    /// Its number in this profile; absent where the message is not here.
    pub id: Option<u64>,
    /// Its sender's address, where the message is here.
    pub from: Option<String>,
    /// The beginning of its text as it is now, unaltered, at most [`Quote::LENGTH`] bytes; absent where the message is
    /// not here or was deleted.
    pub text: Option<String>,
    /// Whether it was edited after the version that is answered.
    pub changed: bool,
    /// Whether it was deleted.
    pub deleted: bool,
}

impl Quote {
    /// Bytes of a quotation.
    pub const LENGTH: usize = 200;
}

/// A reaction to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// Commonly an emoji, at most 64 bytes, as it was sent: a face must strip direction marks before it shows it.
    pub reaction: String,
    /// Who reacted so, by address.
    pub from: Vec<String>,
}

/// What a message said at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The id of this version, in hexadecimal.
    pub message_id: Option<String>,
    /// Its text, unaltered.
    pub text: String,
    /// When the hub accepted it.
    pub timestamp_ms: u64,
}

/// What a person set for the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Whether senders are told that their messages arrived, where the room leaves the choice.
    pub delivery_receipts: bool,
    /// Whether senders are told that their messages were read, where the room leaves the choice.
    pub read_receipts: bool,
    /// Whether new conversations are made with the cipher suite that quantum computers do not break either.
    pub post_quantum: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            delivery_receipts: true,
            read_receipts: true,
            post_quantum: false,
        }
    }
}

/// What a room is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Two people, for good.
    Direct,
    /// Any number of people.
    Group,
}

/// A room in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The room's identifier.
    pub room: String,
    /// What it is for.
    pub kind: RoomKind,
    /// In a direct room, the other person's address.
    pub with: Option<String>,
    /// What a group is called, unaltered; absent where it has no name.
    #[serde(default)]
    pub name: Option<String>,
    /// Everybody on the room's participant list, by address, oneself included.
    pub members: Vec<String>,
    /// One's own role, by name; absent where one is not on the list.
    #[serde(default)]
    pub role: Option<String>,
    /// People on the list who have no device in the room yet and whom this device is to add, by address.
    #[serde(default)]
    pub waits_for: Vec<String>,
    /// Whether this device is in the room. What was said in it stays readable where it is not.
    #[serde(default = "yes")]
    pub in_room: bool,
    /// Where the conversation goes on: the identifier of another room with the same person.
    #[serde(default)]
    pub goes_on_in: Option<String>,
    /// The domain of the provider that orders the room's messages.
    pub hub: String,
    /// Whether messages can be sent, and if not, why: a sentence for people.
    pub blocked: Option<String>,
    /// When this device joined.
    pub joined_ms: u64,
    /// Messages of others that were not read.
    #[serde(default)]
    pub unread: u64,
    /// The position up to which the room was read.
    #[serde(default)]
    pub read_position: u64,
    /// The last message of the room, if there is one.
    pub last: Option<Message>,
}

fn yes() -> bool {
    true
}

/// Whether the provider is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// Not reached, and nobody tries: before the start, or after the end.
    Offline,
    /// Being reached; what is written meanwhile waits.
    Connecting,
    /// Signed in, and events flow.
    Online,
    /// The provider no longer takes this device: signing in was refused.
    Refused,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// A message is new in a timeline.
    MessageAdded {
        /// The message.
        message: Message,
    },
    /// A message's state, position, id or text changed, or something was done to it.
    MessageChanged {
        /// The message, as it is now.
        message: Message,
    },
    /// Something asked from here that is no message of its own (an edit, a reaction, a deletion) waits or was decided.
    Outgoing {
        /// Where it stands.
        outgoing: Outgoing,
    },
    /// A room is new in the list.
    RoomAdded {
        /// The room.
        room: Room,
    },
    /// A room's members or state changed.
    RoomChanged {
        /// The room, as it is now.
        room: Room,
    },
    /// Something a person must know about a room, or about the own provider.
    Alarm {
        /// The room's identifier; empty where it is about the provider or a room that this device is not in.
        room: String,
        /// What it is, in a sentence for people.
        text: String,
    },
    /// The connection changed. It is told to subscribers of the moment and has no cursor of its own.
    Connection {
        /// To this.
        state: Connection,
    },
    /// Events between the subscriber's cursor and the next event are no longer kept: read the lists anew.
    Missed,
}

/// An event and the cursor after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Subscribing after this cursor continues behind this event.
    pub cursor: u64,
    /// The event.
    pub event: Event,
}

/// What became of a message, reaction, edit or deletion that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// What sending it returned.
    pub local_id: u64,
    /// Where it stands.
    pub state: MessageState,
    /// The room's identifier, once there is a room.
    pub room: Option<String>,
    /// The message id of draft-ietf-mimi-content §3.3, in hexadecimal, once it is encrypted.
    pub message_id: Option<String>,
    /// When the hub accepted it.
    pub accepted_ms: Option<u64>,
    /// Why it failed, or why it waits.
    pub problem: Option<String>,
}
