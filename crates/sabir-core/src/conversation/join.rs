use rand_core::CryptoRng;
use sabir_mls::group::join_welcome;
use sabir_mls::identity::{Freshness, ServerCredential};
use sabir_mls::rows::{RowChanges, Rows};
use sabir_mls::{Judge, LeafFact, MlsError};
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::MlsMessage;
use sabir_wire::protocol::{FanoutBody, FanoutMessage, RatchetTreeOption};
use sabir_wire::uri::RoomUri;

use super::event::ConversationEvent;
use super::outbox::Outbox;
use super::record::{Phase, Record};
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::hub::group_uri;
use crate::room::RoomState;

/// A room this client was welcomed to.
#[derive(Debug)]
pub struct Joined {
    /// The conversation.
    pub conversation: Conversation,
    /// The room's first rows. The rows of the key package are used up: the shell deletes them in the same
    /// transaction.
    pub effects: Effects,
}

impl Conversation {
    /// Joins by the entry of the event stream that carries a Welcome. `rows` are those of the key package it was
    /// made for ([`Conversation::welcome_references`] names it).
    ///
    /// # Errors
    /// [`ConversationError::UnknownProvider`] where a CA must be pinned first (then try again);
    /// [`ConversationError::Refused`] where the room is not what it must be: then nothing is kept.
    pub fn join(
        cx: ConversationContext<'_>,
        room: RoomUri,
        rows: Rows,
        entry: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Joined, ConversationError> {
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
        // Who sits in the tree was judged when they came in, and no expiry removes them.
        let judge = Judge {
            anchors: cx.anchors,
            freshness: Freshness::Ignored,
        };
        let mut group = join_welcome(rows, &welcome.to_bytes(), &tree.to_bytes(), &judge, rng)?;
        let expected = group_uri(&room).map_err(|error| refused(&error))?;
        if group.group_id() != expected.as_str().as_bytes() {
            return Err(refused(&"the welcome leads to another room"));
        }
        let state =
            RoomState::read(|component| group.component(component)).map_err(|error| refused(&error))?;
        check_state(cx, &room, &state, &judge)?;
        let leaves: Vec<LeafFact> = group
            .judge_members(&judge)
            .into_iter()
            .map(|(_, leaf)| leaf)
            .collect();
        for leaf in &leaves {
            if state.participant(leaf.verified()?.user()).is_none() {
                return Err(refused(&"a client in this room is nobody's who takes part in it"));
            }
        }
        // The overlay started with the key package's rows, which go as a whole; the puts are the room's.
        let mut taken = group.take_changes();
        taken.deletes.clear();
        let mut changes = crate::scope::scoped(taken);
        let mut conversation = Self {
            room,
            group,
            state,
            record: Record::new(Phase::Ready),
            saved: Vec::new(),
            outbox: Outbox::default(),
        };
        let verdict = conversation.judge_group(&leaves)?;
        let alarms = conversation.heed(verdict);
        let mut events = vec![ConversationEvent::Members {
            added: conversation.clients(),
            removed: Vec::new(),
            accepted: entry.timestamp,
        }];
        if alarms.is_empty() {
            events.push(ConversationEvent::Ready);
        }
        events.extend(alarms);
        let own = conversation.effects(RowChanges::default(), events);
        changes.merge(own.changes);
        let events = own.events;
        Ok(Joined {
            conversation,
            effects: Effects { changes, events },
        })
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

fn check_state(
    cx: ConversationContext<'_>,
    room: &RoomUri,
    state: &RoomState,
    judge: &Judge<'_>,
) -> Result<(), ConversationError> {
    let refused = |reason: &str| Err(ConversationError::Refused(reason.to_owned()));
    if !state.is_direct() {
        return refused("only direct rooms of two people are supported");
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
            sabir_mls::identity::CredentialError::UnknownProvider => {
                MlsError::UnknownProvider(room.authority().clone())
            }
            error => MlsError::Credential(error),
        })?;
    Ok(())
}
