//! A client's side of a room: its group, its outbox, and what the hub's log brings.
//!
//! ```text
//!   send ----> outbox --prepare--> one request outstanding --> shell --> provider
//!                 ^                                              |
//!                 +------------------- answered <----------------+
//!   event stream --> incoming --> messages, members, alarms
//! ```
//!
//! At most one request is outstanding, the same bytes until it is answered, so messages reach the hub in the
//! order they were written and a repeat is recognised. A message of this client takes its place in the room when
//! the log brings it back, and a commit of this client takes effect then and not before: what was ordered before
//! it still needs the old epoch's keys.

mod answers;
mod create;
mod event;
mod incoming;
mod intent;
mod join;
mod outbox;
mod record;
mod watch;

pub use create::{NewDirect, NewGroupRoom};
pub use event::{Alarm, ConversationEvent, FrankState, Joining, Leaving, MessageEvent, Out};
pub use intent::{Intent, MAX_NAME, WaitingIntent, WaitsFor};
pub use join::Joined;
pub use outbox::{LocalId, MAX_CONTENT};

use rand_core::CryptoRng;
use sabir_mls::group::Group;
use sabir_mls::identity::TrustAnchors;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_mls::{Device, MlsError};
use sabir_wire::codec::Encode;
use sabir_wire::uri::{Domain, RoomUri, UserUri};
use thiserror::Error;

use self::create::LONGEST_WAIT;
use self::outbox::Outbox;
use self::record::{Phase, Record};
use crate::Millis;
use crate::hub::group_uri;
use crate::room::RoomState;
use crate::scope::scoped;

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
        let state =
            RoomState::read(|component| group.component(component)).map_err(|error| stored(&error))?;
        let saved = record.to_bytes();
        Ok(Self {
            room,
            group,
            state,
            record,
            saved,
            outbox,
        })
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

    /// The confirmed transcript hash, equal on all members that saw the same commits.
    #[must_use]
    pub fn transcript_hash(&self) -> &[u8] {
        self.group.transcript_hash()
    }

    /// Whether messages can go out now: the other person has a client in the room, and nothing is wrong.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.record.phase == Phase::Ready && self.record.stopped.is_none()
    }

    /// Whether this client is in the room's group. One that was removed takes a Welcome to come back.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.group.is_active()
    }

    /// Messages that were not accepted yet.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbox.waiting()
    }

    /// The request that must be sent, or sent again, now. [`Conversation::prepare`] may make one.
    #[must_use]
    pub fn outstanding(&self, now: Millis) -> Option<Request> {
        if self.record.stopped.is_some() {
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
        match &self.record.phase {
            Phase::Creating { request: body } => request(RequestKind::CreateRoom, body),
            Phase::WantsKeys {
                request: body,
                not_before,
                ..
            } if *not_before <= now || *not_before > now.saturating_add(LONGEST_WAIT) => {
                request(RequestKind::KeyMaterial, body)
            }
            Phase::Adding {
                request: body,
                accepted: false,
                ..
            } => request(RequestKind::Update, body),
            Phase::Ready => self
                .outbox
                .in_flight()
                .and_then(|body| request(RequestKind::Submit, body)),
            _ => None,
        }
    }

    /// When [`Conversation::outstanding`] may have something although nothing else happens.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Millis> {
        match &self.record.phase {
            Phase::WantsKeys { not_before, .. } if self.record.stopped.is_none() => Some(*not_before),
            _ => None,
        }
    }

    fn effects(&mut self, mut own: RowChanges, events: Vec<ConversationEvent>) -> Effects {
        let mut changes = scoped(self.group.take_changes());
        let encoded = self.record.to_bytes();
        if encoded != self.saved {
            self.saved.clone_from(&encoded);
            Record::write(encoded, &mut changes);
        }
        changes.merge(std::mem::take(&mut own));
        Effects { changes, events }
    }

    fn read_state(&mut self) -> Result<(), ConversationError> {
        // That it can be read was seen before the commit was merged.
        self.state = RoomState::read(|component| self.group.component(component))
            .map_err(|error| ConversationError::Refused(error.to_string()))?;
        Ok(())
    }

    /// Whether the other people of the room have clients in the group.
    fn others_present(&self, me: &UserUri) -> bool {
        self.group.members().any(|member| {
            sabir_mls::identity::ClientCredential::parse(&member.credential)
                .is_ok_and(|credential| credential.claimed_user() != me)
        })
    }
}
