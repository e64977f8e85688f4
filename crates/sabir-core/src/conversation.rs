//! A client's side of a room: its group, its outbox, what is wanted of the room, and what the hub's log brings.
//!
//! ```text
//!   send ----> outbox  --+
//!   intend --> intents --+--prepare--> one request outstanding --> shell --> provider
//!   gap, bad commit --> repair         ^                                        |
//!                                      +--------------- answered <--------------+
//!   event stream --> incoming --> messages, members, roles, alarms
//! ```
//!
//! At most one request is outstanding, the same bytes until it is answered, so messages reach the hub in the
//! order they were written and a repeat is recognised. A message of this client takes its place in the room when
//! the log brings it back, and a commit of this client takes effect then and not before: what was ordered before
//! it still needs the old epoch's keys.

mod answers;
mod changes;
mod commit;
mod create;
mod departure;
mod event;
mod goal;
mod incoming;
mod intent;
mod join;
mod keys;
mod look;
mod outbox;
mod outside;
mod record;
mod rejoin;
mod repair;
mod revoked;
mod watch;
mod work;

pub use create::{NewDirect, NewGroupRoom};
pub use event::{Alarm, ConversationEvent, FrankState, Joining, Leaving, MessageEvent, Out};
pub use intent::{Intent, MAX_NAME, WaitingIntent, WaitsFor};
pub use join::Joined;
pub use outbox::{LocalId, MAX_CONTENT};
pub use rejoin::{Rejoin, Rejoined};

use rand_core::CryptoRng;
use sabir_mls::group::Group;
use sabir_mls::identity::TrustAnchors;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_mls::{Device, MlsError};
use sabir_wire::codec::Encode;
use sabir_wire::uri::{Domain, RoomUri, UserUri};
use thiserror::Error;

use self::intent::Intents;
use self::outbox::Outbox;
use self::record::{Phase, Record, RepairStep, Work};
use self::work::due;
use crate::Millis;
use crate::hub::group_uri;
use crate::room::{RoomKind, RoomState};
use crate::scope::{rows_beside, scoped};

/// Who this client is and whom it knows.
#[derive(Debug, Clone, Copy)]
pub struct ConversationContext<'a> {
    /// This device.
    pub device: &'a Device,
    /// Its person.
    pub me: &'a UserUri,
    /// The provider CAs it has pinned.
    pub anchors: &'a TrustAnchors,
}

/// What a request asks, and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// A `CreateRoomRequest` to the own provider.
    CreateRoom,
    /// A `KeyMaterialRequest`.
    KeyMaterial,
    /// An `UpdateRequest` for the room.
    Update,
    /// A `SubmitMessageRequest` for the room.
    Submit,
    /// A `GroupInfoRequest` for the room.
    GroupInfo,
}

/// The request that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asks.
    pub kind: RequestKind,
    /// The encoded request; the same bytes until it is answered.
    pub body: Vec<u8>,
}

/// What a call brought about. The shell commits `changes` with its own rows, then publishes `events`.
#[derive(Debug, Default)]
pub struct Effects {
    /// Changes of the room's rows.
    pub changes: RowChanges,
    /// What happened, in order.
    pub events: Vec<ConversationEvent>,
}

/// Why a call failed. The engine must then be dropped and loaded again; nothing has changed.
#[derive(Debug, Error)]
pub enum ConversationError {
    /// A credential names a provider whose CA must be fetched and pinned first.
    #[error("the identity of a provider is not known yet")]
    UnknownProvider(Domain),
    /// The stored rows are not a conversation's.
    #[error("the stored conversation cannot be read: {0}")]
    Stored(String),
    /// The content is larger than a message may be.
    #[error("the message is larger than {MAX_CONTENT} bytes")]
    TooLarge,
    /// This client cannot send here.
    #[error("{0}")]
    Closed(&'static str),
    /// This person may not do that in this room as it is now; the text says why, for people.
    #[error("not allowed: {0}")]
    NotAllowed(String),
    /// What came is not what it should be.
    #[error("refused: {0}")]
    Refused(String),
    /// A fault of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<MlsError> for ConversationError {
    fn from(error: MlsError) -> Self {
        match error {
            MlsError::UnknownProvider(domain) => Self::UnknownProvider(domain),
            MlsError::Internal(reason) => Self::Internal(reason),
            error => Self::Refused(error.to_string()),
        }
    }
}

/// One room, as one of its clients holds it.
#[derive(Debug)]
pub struct Conversation {
    room: RoomUri,
    group: Group,
    state: RoomState,
    record: Record,
    /// The record's row as it was last written.
    saved: Vec<u8>,
    outbox: Outbox,
    intents: Intents,
    /// The group of an external commit that the hub has not accepted yet.
    beside: Option<Rows>,
    /// Whether it was ready when last looked at.
    was_ready: bool,
    /// When the log last brought something, or this engine was first asked after it was loaded.
    heard: Option<Millis>,
}

impl Conversation {
    /// Loads a conversation from its rows.
    ///
    /// # Errors
    /// [`ConversationError::Stored`].
    pub fn load(room: RoomUri, rows: &Rows, rng: &mut dyn CryptoRng) -> Result<Self, ConversationError> {
        let stored = |error: &dyn std::fmt::Display| ConversationError::Stored(error.to_string());
        let id = group_uri(&room).map_err(|error| stored(&error))?;
        let group = Group::load(crate::mls_rows(rows), id.as_str().as_bytes(), rng)
            .map_err(|error| stored(&error))?;
        let record = Record::read(rows).map_err(|error| stored(&error))?;
        let outbox = Outbox::read(rows).map_err(|error| stored(&error))?;
        let intents = Intents::read(rows).map_err(|error| stored(&error))?;
        let state =
            RoomState::read(|component| group.component(component)).map_err(|error| stored(&error))?;
        let mut conversation = Self::new(room, group, state, record);
        conversation.saved = conversation.record.to_bytes();
        conversation.outbox = outbox;
        let last = intents.iter().map(|intent| intent.after).max();
        conversation.outbox.count_from(last.unwrap_or_default());
        conversation.intents = intents;
        conversation.beside = Some(rows_beside(rows)).filter(|rows| !rows.is_empty());
        conversation.was_ready = conversation.is_ready();
        Ok(conversation)
    }

    fn new(room: RoomUri, group: Group, state: RoomState, record: Record) -> Self {
        Self {
            room,
            group,
            state,
            record,
            saved: Vec::new(),
            outbox: Outbox::default(),
            intents: Intents::default(),
            beside: None,
            was_ready: false,
            heard: None,
        }
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &RoomUri {
        &self.room
    }

    /// The room's state: participants, roles, name.
    #[must_use]
    pub fn state(&self) -> &RoomState {
        &self.state
    }

    /// Current epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.group.epoch()
    }

    /// Cipher suite of the room's group.
    #[must_use]
    pub fn suite(&self) -> u16 {
        self.group.suite()
    }

    /// The confirmed transcript hash, equal on all members that saw the same commits.
    #[must_use]
    pub fn transcript_hash(&self) -> &[u8] {
        self.group.transcript_hash()
    }

    /// Whether messages can go out now: this client follows the room, nothing is wrong, and of a direct room the
    /// other person has a client in it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.record.phase == Phase::Open
            && self.record.stopped.is_none()
            && self.record.repair.is_none()
            && !self.record.leaving
            && (self.state.kind() == RoomKind::Group || self.is_peopled())
    }

    /// Whether this client is in the room's group. One that was removed takes a Welcome to come back.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.group.is_active() && self.record.phase != Phase::Closed
    }

    /// Whether this client has lost the thread of the room and is coming back by itself.
    #[must_use]
    pub fn is_repairing(&self) -> bool {
        self.record.repair.is_some()
    }

    /// Whether a Welcome for this room is of use: [`Conversation::welcomed`]. Otherwise it came twice.
    #[must_use]
    pub fn wants_welcome(&self) -> bool {
        !self.is_member() || self.is_repairing()
    }

    /// Whether this person left: the hub knows of it, and the commit that removes this client is to come.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.record.leaving
    }

    /// Messages that were not accepted yet.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbox.waiting()
    }

    /// The request that must be sent, or sent again, now. [`Conversation::prepare`] may make one.
    #[must_use]
    pub fn outstanding(&self, now: Millis) -> Option<Request> {
        if self.record.stopped.is_some() && self.record.repair.is_none() && !self.wants_out() {
            return None;
        }
        self.unanswered(now)
    }

    /// The request that waits for its answer, or for its time, whether or not sending is stopped.
    fn unanswered(&self, now: Millis) -> Option<Request> {
        let request = |kind, body: &[u8]| {
            Some(Request {
                kind,
                body: body.to_vec(),
            })
        };
        if let Some(repair) = &self.record.repair {
            return match &repair.step {
                _ if !due(repair.not_before, now) => None,
                RepairStep::Wanted => None,
                RepairStep::Asking { request: body, .. } => request(RequestKind::GroupInfo, body),
                RepairStep::Joining { request: body, .. } => request(RequestKind::Update, body),
            };
        }
        match &self.record.phase {
            Phase::Creating { request: body } => return request(RequestKind::CreateRoom, body),
            Phase::Open => {}
            Phase::CatchingUp { .. } | Phase::Closed => return None,
        }
        if let Some(body) = self.outbox.in_flight() {
            return request(RequestKind::Submit, body);
        }
        match &self.record.work {
            Work::Keys { request: body, .. } => request(RequestKind::KeyMaterial, body),
            Work::Commit {
                request: body,
                accepted: None,
                ..
            }
            | Work::Leave {
                request: body,
                accepted: false,
                ..
            } => request(RequestKind::Update, body),
            _ => None,
        }
    }

    fn finish(&mut self, mut effects: Effects) -> Effects {
        let is_ready = self.is_ready();
        if is_ready && !self.was_ready {
            effects.events.push(ConversationEvent::Ready);
        }
        self.was_ready = is_ready;
        let encoded = self.record.to_bytes();
        if encoded != self.saved {
            self.saved.clone_from(&encoded);
            Record::write(encoded, &mut effects.changes);
        }
        effects.changes.merge(scoped(self.group.take_changes()));
        effects
    }

    fn read_state(&mut self) -> Result<(), ConversationError> {
        // That it can be read was seen before the commit was merged.
        self.state = RoomState::read(|component| self.group.component(component))
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        Ok(())
    }

    /// Whether clients of several people are in the group.
    fn is_peopled(&self) -> bool {
        let mut users = self.clients().into_iter().map(|(_, user)| user);
        let first = users.next();
        users.any(|user| Some(&user) != first.as_ref())
    }

    /// Whether a person has a client in the group.
    fn is_present(&self, user: &UserUri) -> bool {
        self.clients().iter().any(|(_, present)| present == user)
    }
}
