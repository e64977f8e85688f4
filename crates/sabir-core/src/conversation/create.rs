use rand_core::CryptoRng;
use sabir_mls::group::{Group, NewGroup};
use sabir_mls::identity::ServerCredential;
use sabir_wire::client_api::CreateRoomRequest;
use sabir_wire::codec::Encode;
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{RoomUri, UserUri};

use super::commit::options;
use super::intent::MAX_NAME;
use super::record::{Phase, Record};
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::Millis;
use crate::hub::group_uri;
use crate::room::{DirectRoom, GroupRoom, RoomState, Template};

/// A direct room to be made.
#[derive(Debug, Clone)]
pub struct NewDirect {
    /// The room, at the own provider, with a random name.
    pub room: RoomUri,
    /// The other person.
    pub peer: UserUri,
    /// The own provider as hub: the key and credential of franks and hub proposals.
    pub hub: FrankingAgentData,
}

/// A group room to be made. Its maker is its owner and alone in it at first.
#[derive(Debug, Clone)]
pub struct NewGroupRoom {
    /// The room, at the own provider, with a random name.
    pub room: RoomUri,
    /// What it is called, of at most [`super::MAX_NAME`] bytes; may be empty.
    pub name: String,
    /// How it begins.
    pub template: Template,
    /// The own provider as hub: the key and credential of franks and hub proposals.
    pub hub: FrankingAgentData,
}

impl Conversation {
    /// Makes a direct room: a group of this device alone, and the request that registers it.
    ///
    /// # Errors
    /// [`ConversationError::Refused`] where the hub's credential is no server credential.
    pub fn create_direct(
        cx: ConversationContext<'_>,
        new: NewDirect,
        now: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Effects), ConversationError> {
        let direct = DirectRoom {
            room: new.room.clone(),
            people: [cx.me.clone(), new.peer],
            franking_agent: new.hub.clone(),
        };
        Self::create(cx, (new.room, &new.hub), direct.dictionary(), now, rng)
    }

    /// Makes a group room: its maker alone, as its owner, and the request that registers it. Others are added by
    /// [`super::Intent::Add`], which may be written down at once.
    ///
    /// # Errors
    /// [`ConversationError::NotAllowed`] for a name that is too long, [`ConversationError::Refused`] where the hub's
    /// credential is no server credential.
    pub fn create_group(
        cx: ConversationContext<'_>,
        new: NewGroupRoom,
        now: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Effects), ConversationError> {
        if new.name.len() > MAX_NAME {
            let reason = format!("the name is longer than {MAX_NAME} bytes");
            return Err(ConversationError::NotAllowed(reason));
        }
        let group = GroupRoom {
            room: new.room.clone(),
            name: new.name,
            template: new.template,
            owner: cx.me.clone(),
            franking_agent: new.hub.clone(),
        };
        Self::create(cx, (new.room, &new.hub), group.dictionary(), now, rng)
    }

    fn create(
        cx: ConversationContext<'_>,
        (room, hub): (RoomUri, &FrankingAgentData),
        dictionary: Vec<(u16, Vec<u8>)>,
        now: Millis,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Effects), ConversationError> {
        let refused = |error: &dyn std::fmt::Display| ConversationError::Refused(error.to_string());
        let group_id = group_uri(&room).map_err(|error| refused(&error))?;
        let sender = ServerCredential::from_credential(&hub.credential).map_err(|error| refused(&error))?;
        let plan = NewGroup {
            group_id: group_id.as_str().as_bytes().to_vec(),
            dictionary,
            hub_sender: (hub.franking_signature_key.0.clone(), sender.to_bytes()),
        };
        let mut group = Group::create(cx.device, plan, now, rng)?;
        let (group_info_option, ratchet_tree_option) = options(&group.public_state(cx.device)?)?;
        let request = CreateRoomRequest {
            room: room.clone(),
            group_info_option,
            ratchet_tree_option,
        };
        let state =
            RoomState::read(|component| group.component(component)).map_err(|error| refused(&error))?;
        let mut record = Record::new(Phase::Creating {
            request: request.to_bytes(),
        });
        // Who was here from the start has seen every departure.
        record.knows_all = true;
        let mut conversation = Self::new(room, group, state, record);
        conversation.remember_members(cx, None)?;
        let effects = conversation.finish(Effects::default());
        Ok((conversation, effects))
    }
}
