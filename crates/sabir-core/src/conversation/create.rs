use rand_core::CryptoRng;
use sabir_mls::app_data::ComponentRules;
use sabir_mls::group::{CommitPlan, Group, NewGroup, PublicState};
use sabir_mls::identity::ServerCredential;
use sabir_mls::key_package::VerifiedKeyPackage;
use sabir_mls::rows::RowChanges;
use sabir_wire::client_api::CreateRoomRequest;
use sabir_wire::codec::{Decode, Encode};
use sabir_wire::mls::{GroupInfo, MlsMessage, RatchetTree, Welcome};
use sabir_wire::protocol::{
    FrankingAgentData, GroupInfoOption, HandshakeBundle, RatchetTreeOption, UpdateRequest,
};
use sabir_wire::uri::{RoomUri, UserUri};

use super::outbox::Outbox;
use super::record::{Phase, Record};
use super::{Conversation, ConversationContext, ConversationError, Effects};
use crate::Millis;
use crate::hub::group_uri;
use crate::key_material;
use crate::room::{DirectRoom, RoomRules, RoomState};

/// How long to wait before asking again for key packages that were not to be had: doubling from the first.
const FIRST_WAIT: Millis = 5_000;
pub(super) const LONGEST_WAIT: Millis = 10 * 60_000;

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
        let refused = |error: &dyn std::fmt::Display| ConversationError::Refused(error.to_string());
        let group_id = group_uri(&new.room).map_err(|error| refused(&error))?;
        let hub = ServerCredential::from_credential(&new.hub.credential).map_err(|error| refused(&error))?;
        let direct = DirectRoom {
            room: new.room.clone(),
            people: [cx.me.clone(), new.peer],
            franking_agent: new.hub.clone(),
        };
        let plan = NewGroup {
            group_id: group_id.as_str().as_bytes().to_vec(),
            dictionary: direct.dictionary(),
            hub_sender: (new.hub.franking_signature_key.0, hub.to_bytes()),
        };
        let mut group = Group::create(cx.device, plan, now, rng)?;
        let public = group.public_state(cx.device)?;
        let (group_info_option, ratchet_tree_option) = options(&public)?;
        let request = CreateRoomRequest {
            room: new.room.clone(),
            group_info_option,
            ratchet_tree_option,
        };
        let state =
            RoomState::read(|component| group.component(component)).map_err(|error| refused(&error))?;
        let record = Record::new(Phase::Creating {
            request: request.to_bytes(),
        });
        let mut conversation = Self {
            room: new.room,
            group,
            state,
            record,
            saved: Vec::new(),
            outbox: Outbox::default(),
        };
        conversation.remember_members(cx)?;
        let effects = conversation.effects(RowChanges::default(), Vec::new());
        Ok((conversation, effects))
    }

    /// Asks for the other person's key packages, at once or after a wait that grows with `attempts`.
    pub(super) fn want_keys(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        attempts: u32,
    ) -> Result<Millis, ConversationError> {
        let internal = |error: &dyn std::fmt::Display| ConversationError::Internal(error.to_string());
        let peer = self
            .state
            .other(cx.me)
            .cloned()
            .ok_or(ConversationError::Closed("nobody else is in this room"))?;
        let suites = [vec![self.group.suite()], grease(self.record.asked)].concat();
        self.record.asked = self.record.asked.saturating_add(1);
        let request = key_material::build_request_for(cx.device, cx.me, &peer, Some(&self.room), &suites)
            .map_err(|error| internal(&error))?;
        let wait = match attempts.checked_sub(1) {
            None => 0,
            Some(doublings) => FIRST_WAIT
                .saturating_mul(1 << doublings.min(10))
                .min(LONGEST_WAIT),
        };
        let not_before = now.saturating_add(wait);
        self.record.phase = Phase::WantsKeys {
            request: request.to_bytes(),
            not_before,
            attempts,
        };
        Ok(not_before)
    }

    /// Commits the other person's clients; the request is outstanding afterwards.
    pub(super) fn add(
        &mut self,
        cx: ConversationContext<'_>,
        adds: Vec<VerifiedKeyPackage>,
        attempts: u32,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), ConversationError> {
        let internal = |error: &dyn std::fmt::Display| ConversationError::Internal(error.to_string());
        let plan = CommitPlan {
            adds,
            ..CommitPlan::default()
        };
        if self.group.has_proposals() {
            // None of the log's proposals gets into a commit of ours: a direct room knows none.
            self.group.drop_proposals()?;
        }
        let rules: &dyn ComponentRules = &RoomRules;
        let commit = self.group.commit(cx.device, plan, rules, rng)?;
        let (group_info, ratchet_tree) = options(&commit.next)?;
        let welcome = commit
            .welcome
            .as_deref()
            .map(Welcome::from_bytes)
            .transpose()
            .map_err(|error| internal(&error))?;
        let message = Box::new(MlsMessage::from_bytes(&commit.commit).map_err(|error| internal(&error))?);
        let bundle = HandshakeBundle::Commit {
            message,
            welcome,
            group_info: Box::new(group_info),
            ratchet_tree,
        };
        self.record.phase = Phase::Adding {
            request: UpdateRequest { bundle }.to_bytes(),
            accepted: false,
            attempts,
        };
        Ok(())
    }
}

/// Cipher suites that mean nothing (RFC 9420 §13.5), another list for each number. Providers answer the same
/// request with the same key packages, so that a repeat uses up no more; one that is meant anew must differ.
fn grease(number: u64) -> Vec<u16> {
    let value = |digit: u64| {
        u16::try_from(digit).map_or(0x0a0a, |digit| {
            0x0a0a_u16.saturating_add(digit.saturating_mul(0x1010))
        })
    };
    let mut suites = Vec::new();
    let mut rest = number;
    while rest > 0 {
        suites.push(value(rest % 14));
        rest /= 14;
    }
    suites
}

fn options(public: &PublicState) -> Result<(GroupInfoOption, RatchetTreeOption), ConversationError> {
    let internal = |error: sabir_wire::codec::DecodeError| ConversationError::Internal(error.to_string());
    let info = GroupInfo::from_bytes(&public.group_info).map_err(internal)?;
    let tree = RatchetTree::from_bytes(&public.ratchet_tree).map_err(internal)?;
    Ok((GroupInfoOption::Full(info), RatchetTreeOption::Full(tree)))
}
