use sabir_wire::codec::Encode;
use sabir_wire::components::{ParticipantListData, RoomMetaData, UserRolePair};
use sabir_wire::mls::{ComponentId, ComponentsList};
use sabir_wire::policy::{BaseRoomPolicy, CapabilityType, Role, RoleData};
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{RoomUri, UserUri};

use super::RoomState;

/// Role index of both people of a direct room.
pub const DIRECT_ROLE: u32 = 2;

/// What both people of a direct room may do. There is no membership to manage: it is fixed
/// (draft-ietf-mimi-room-policy-03 §5).
pub(super) const DIRECT_CAPABILITIES: &[CapabilityType] = &[
    CapabilityType::CAN_ADD_OWN_CLIENT,
    CapabilityType::CAN_REMOVE_OWN_CLIENT,
    CapabilityType::CAN_SEND_MESSAGE,
    CapabilityType::CAN_RECEIVE_MESSAGE,
    CapabilityType::CAN_COPY_MESSAGE,
    CapabilityType::CAN_REPORT_ABUSE,
    CapabilityType::CAN_REPLY_TO_MESSAGE,
    CapabilityType::CAN_REACT_TO_MESSAGE,
    CapabilityType::CAN_EDIT_REACTION,
    CapabilityType::CAN_DELETE_OWN_REACTION,
    CapabilityType::CAN_EDIT_OWN_MESSAGE,
    CapabilityType::CAN_DELETE_OWN_MESSAGE,
    CapabilityType::CAN_START_TOPIC,
    CapabilityType::CAN_REPLY_IN_TOPIC,
    CapabilityType::CAN_EDIT_OWN_TOPIC,
    CapabilityType::CAN_UPLOAD_IMAGE,
    CapabilityType::CAN_UPLOAD_AUDIO,
    CapabilityType::CAN_UPLOAD_VIDEO,
    CapabilityType::CAN_UPLOAD_ATTACHMENT,
    CapabilityType::CAN_DOWNLOAD_IMAGE,
    CapabilityType::CAN_DOWNLOAD_AUDIO,
    CapabilityType::CAN_DOWNLOAD_VIDEO,
    CapabilityType::CAN_DOWNLOAD_ATTACHMENT,
    CapabilityType::CAN_SEND_LINK,
    CapabilityType::CAN_SEND_LINK_PREVIEW,
    CapabilityType::CAN_FOLLOW_LINK,
    CapabilityType::CAN_COPY_LINK,
];

/// A room of two people, whose participant list is whole from the start.
#[derive(Debug, Clone)]
pub struct DirectRoom {
    /// The room.
    pub room: RoomUri,
    /// The two people, the creator first.
    pub people: [UserUri; 2],
    /// The hub's franking key and credential.
    pub franking_agent: FrankingAgentData,
}

impl DirectRoom {
    /// The dictionary of the new group's GroupContext, ascending by component.
    #[must_use]
    pub fn dictionary(&self) -> Vec<(u16, Vec<u8>)> {
        let policy = [ComponentId::ROLES_LIST, ComponentId::BASE_ROOM_POLICY];
        let required = [
            ComponentId::FRANKING_AGENT,
            ComponentId::PARTICIPANT_LIST,
            ComponentId::ROOM_METADATA,
            ComponentId::ROLES_LIST,
            ComponentId::BASE_ROOM_POLICY,
        ];
        let people = self.people.iter().cloned();
        let participants = ParticipantListData {
            participants: people
                .map(|user| UserRolePair {
                    user,
                    role_index: DIRECT_ROLE,
                })
                .collect(),
        };
        let metadata = RoomMetaData {
            room_uri: self.room.clone(),
            room_name: String::new(),
            room_descriptions: Vec::new(),
            room_avatar: None,
            room_subject: String::new(),
            room_mood: String::new(),
        };
        let base = BaseRoomPolicy {
            fixed_membership: true,
            parent_dependant: false,
            parent_room: None,
            multi_device: true,
            max_clients: None,
            max_users: Some(2),
            pseudonyms_allowed: false,
            persistent_room: false,
            discoverable: false,
            policy_component_ids: policy.to_vec(),
        };
        vec![
            list(ComponentId::APP_COMPONENTS, &required),
            list(ComponentId::SAFE_AAD, &[ComponentId::FRANK_AAD]),
            (ComponentId::FRANKING_AGENT.0, self.franking_agent.to_bytes()),
            (ComponentId::PARTICIPANT_LIST.0, participants.to_bytes()),
            (ComponentId::ROOM_METADATA.0, metadata.to_bytes()),
            (
                ComponentId::ROLES_LIST.0,
                RoleData { roles: vec![role()] }.to_bytes(),
            ),
            (ComponentId::BASE_ROOM_POLICY.0, base.to_bytes()),
        ]
    }
}

/// The entry of a component that lists components.
pub(super) fn list(component: ComponentId, components: &[ComponentId]) -> (u16, Vec<u8>) {
    let list = ComponentsList {
        component_ids: components.to_vec(),
    };
    (component.0, list.to_bytes())
}

fn role() -> Role {
    Role {
        role_index: DIRECT_ROLE,
        role_name: "person".to_owned(),
        role_description: String::new(),
        role_capabilities: DIRECT_CAPABILITIES.to_vec(),
        minimum_participants_constraint: 0,
        maximum_participants_constraint: None,
        minimum_active_participants_constraint: 0,
        maximum_active_participants_constraint: None,
        authorized_role_changes: Vec::new(),
    }
}

impl RoomState {
    /// Whether this is the state of a direct room: fixed membership, exactly two different people, and no role that
    /// could change that.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        let may_add = self
            .roles
            .roles
            .iter()
            .any(|role| role.has(CapabilityType::CAN_ADD_PARTICIPANT));
        // draft-ietf-mimi-room-policy-03 §5: no role of a fixed-membership room may hold canAddParticipant.
        let people = &self.participants.participants;
        let two = matches!(people.as_slice(), [one, other] if one.user != other.user);
        self.base.fixed_membership && !may_add && two
    }

    /// The other person of a direct room.
    #[must_use]
    pub fn other(&self, me: &UserUri) -> Option<&UserUri> {
        self.participants
            .participants
            .iter()
            .map(|entry| &entry.user)
            .find(|user| *user != me)
    }
}
