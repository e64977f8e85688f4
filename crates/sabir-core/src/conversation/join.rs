use rand_core::CryptoRng;
use sabir_mls::group::{Group, join_welcome};
use sabir_mls::identity::{CredentialError, Freshness, ServerCredential};
use sabir_mls::rows::{RowChanges, Rows};
use sabir_mls::{Judge, LeafFact, MlsError};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{FanoutBody, FanoutMessage, RatchetTreeOption};
use sabir_wire::uri::RoomUri;

use super::event::ConversationEvent;
use super::record::{Phase, Record};
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::Millis;
use crate::hub::group_uri;
use crate::room::{RoomKind, RoomState};

/// A room this client was welcomed to, or came into by itself.
#[derive(Debug)]
pub struct Joined {
    /// The conversation.
    pub conversation: Conversation,
    /// The room's first rows. The rows of the key package are used up: the shell deletes them in the same
    /// transaction.
    pub effects: Effects,
}

/// A group that was come into, with what is known of it.
pub(super) struct Entered {
    pub(super) group: Group,
    pub(super) state: RoomState,
    pub(super) leaves: Vec<LeafFact>,
}

/// Who sits in the tree was judged when they came in, and no expiry removes them.
pub(super) fn judge(cx: ConversationContext<'_>) -> Judge<'_> {
    Judge {
        anchors: cx.anchors,
        freshness: Freshness::Ignored,
    }
}

impl Conversation {
    /// Joins by the entry of the event stream that carries a Welcome. `rows` are those of the key package it was
    /// made for ([`Conversation::welcome_references`] names it).
    ///
    /// Where the shell holds the room already, [`Conversation::welcomed`] is the call.
    ///
    /// # Errors
    /// [`ConversationError::UnknownProvider`] where a CA must be pinned first (then try again);
    /// [`ConversationError::Refused`] where the room is not what it must be: then nothing is kept. Where the Welcome
    /// does not open although it names a key package of this device, [`Conversation::rejoin`] may lead into the room.
    pub fn join(
        cx: ConversationContext<'_>,
        room: RoomUri,
        rows: Rows,
        entry: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Joined, ConversationError> {
        let (mut entered, accepted) = open(cx, &room, rows, entry, rng)?;
        // The overlay started with the key package's rows, which go as a whole; the puts are the room's.
        let mut taken = entered.group.take_changes();
        taken.deletes.clear();
        let changes = crate::scope::scoped(taken);
        Self::begin(room, entered, changes, accepted, None)
    }

    /// A conversation with a group that was just come into.
    pub(super) fn begin(
        room: RoomUri,
        entered: Entered,
        changes: RowChanges,
        accepted: Millis,
        rejoined: Option<bool>,
    ) -> Result<Joined, ConversationError> {
        let Entered { group, state, leaves } = entered;
        let mut conversation = Self::new(room, group, state, Record::new(Phase::Open));
        let verdict = conversation.judge_group(&leaves)?;
        let alarms = conversation.heed(verdict, Some(accepted));
        let mut events = vec![ConversationEvent::Members {
            added: conversation.clients(),
            removed: Vec::new(),
            accepted,
        }];
        if let Some(lost) = rejoined {
            events.push(ConversationEvent::Rejoined { lost, accepted });
        }
        events.extend(alarms);
        let effects = conversation.finish(Effects { changes, events });
        Ok(Joined {
            conversation,
            effects,
        })
    }

    /// Comes back by a Welcome into a room the shell holds: this client was out of it, or had lost its thread. What
    /// waits in the outbox and among the intents stays. Nothing happens where the Welcome is of no use
    /// ([`Conversation::wants_welcome`]); the key package is then kept.
    ///
    /// # Errors
    /// As [`Conversation::join`].
    pub fn welcomed(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        rows: Rows,
        entry: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Effects, ConversationError> {
        if !self.wants_welcome() {
            return Ok(Effects::default());
        }
        let (entered, accepted) = open(cx, &self.room, rows, entry, rng)?;
        let mut effects = Effects::default();
        let lost = self.record.phase != Phase::Closed;
        if !lost {
            // What stopped this client is over with its old membership; what is wrong with the new one is told anew.
            self.record.stopped = None;
        }
        let fresh = entered.group.rows();
        self.take_place(cx, now, entered, &fresh, (lost, accepted), rng, &mut effects)?;
        Ok(self.finish(effects))
    }

    /// The KeyPackageRefs that an entry's Welcome is addressed to; empty for anything else.
    #[must_use]
    pub fn welcome_references(entry: &[u8]) -> Vec<Vec<u8>> {
        match FanoutMessage::from_bytes(entry).map(|entry| entry.body) {
            Ok(FanoutBody::Welcome { message, .. }) => match *message {
                MlsMessage::Welcome(welcome) => welcome.new_members().map(<[u8]>::to_vec).collect(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

/// Opens a Welcome and checks the room it leads to.
fn open(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    rows: Rows,
    entry: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<(Entered, Millis), ConversationError> {
    let refused = |error: &dyn std::fmt::Display| ConversationError::Refused(error.to_string());
    let entry = FanoutMessage::from_bytes(entry).map_err(|error| refused(&error))?;
    let FanoutBody::Welcome {
        message,
        ratchet_tree_option: RatchetTreeOption::Full(tree),
    } = &entry.body
    else {
        return Err(refused(&"the entry is no welcome with its tree"));
    };
    let MlsMessage::Welcome(welcome) = message.as_ref() else {
        return Err(refused(&"the entry is no welcome"));
    };
    let judge = judge(cx);
    let group = join_welcome(rows, &welcome.to_bytes(), &tree.to_bytes(), &judge, rng)?;
    Ok((check(cx, room, group, &[])?, entry.timestamp))
}

/// Checks a group that was come into: it is the room's, the room is of a kind that is enforced here, this person is on
/// the list, and every client is somebody's who is. Leaves under the `tolerated` signature keys were told of before.
pub(super) fn check(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    group: Group,
    tolerated: &[Vec<u8>],
) -> Result<Entered, ConversationError> {
    let refused = |error: &dyn std::fmt::Display| ConversationError::Refused(error.to_string());
    let expected = group_uri(room).map_err(|error| refused(&error))?;
    if group.group_id() != expected.as_str().as_bytes() {
        return Err(refused(&"the way in leads to another room"));
    }
    let state = RoomState::read(|component| group.component(component)).map_err(|error| refused(&error))?;
    let judge = judge(cx);
    check_state(cx, room, &state, &judge)?;
    let leaves: Vec<LeafFact> = group
        .judge_members(&judge)
        .into_iter()
        .map(|(_, leaf)| leaf)
        .collect();
    for leaf in leaves
        .iter()
        .filter(|leaf| !tolerated.contains(&leaf.signature_key))
    {
        if state.participant(leaf.client_or_claim()?.1).is_none() {
            return Err(refused(&"a client in this room is nobody's who takes part in it"));
        }
    }
    Ok(Entered { group, state, leaves })
}

fn check_state(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    state: &RoomState,
    judge: &Judge<'_>,
) -> Result<(), ConversationError> {
    let refused = |reason: &str| Err(ConversationError::Refused(reason.to_owned()));
    if state.kind() == RoomKind::Fixed {
        return refused("fixed rooms of other than two people are not supported");
    }
    if state.base.parent_dependant || state.base.parent_room.is_some() || state.base.pseudonyms_allowed {
        return refused("rooms that depend on others, or hide who people are, are not supported");
    }
    if state.metadata.room_uri != *room {
        return refused("the room calls itself by another name");
    }
    if state.participant(cx.me).is_none() {
        return refused("you are no participant of this room");
    }
    // draft-ietf-mimi-protocol-06 §5.4.1: the franking agent is of the hub's domain.
    let Some(agent) = &state.franking_agent else {
        return refused("the room has no franking agent");
    };
    let key = agent.franking_signature_key.0.as_slice();
    ServerCredential::from_credential(&agent.credential)
        .and_then(|credential| credential.verify(judge.anchors, room.authority(), Freshness::Ignored, key))
        .map_err(|error| match error {
            // Nothing is done in a room whose hub is not proved, however long that takes.
            CredentialError::UnknownProvider | CredentialError::NoAuthority => {
                MlsError::UnknownProvider(room.authority().clone())
            }
            error => MlsError::Credential(error),
        })?;
    Ok(())
}
