use std::collections::BTreeSet;

use sabir_wire::codec::Encode;
use sabir_wire::components::{ParticipantListData, RoomMetaData, UserRolePair};
use sabir_wire::mls::{ComponentId, CredentialType};
use sabir_wire::policy::{
    BaseRoomPolicy, CapabilityType, Claim, ClaimId, PreAuthData, PreAuthRoleEntry, Role, RoleData,
    SingleSourceRoleChangeTargets,
};
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::{RoomUri, UserUri};

use super::Template;
use super::direct::{DIRECT_CAPABILITIES, list};
use super::policy::{SUBJECT_ALT_NAME, provider_claim};
use super::roles::{ADMIN, BANNED, HUB, MEMBER, OWNER, READ_ONLY};

/// A room whose people come and go, as it is made: its owner alone.
#[derive(Debug, Clone)]
pub struct GroupRoom {
    /// The room.
    pub room: RoomUri,
    /// What it is called; may be empty.
    pub name: String,
    /// How it begins.
    pub template: Template,
    /// Who makes it.
    pub owner: UserUri,
    /// The hub's franking key and credential.
    pub franking_agent: FrankingAgentData,
}

impl GroupRoom {
    /// The dictionary of the new group's GroupContext, ascending by component.
    #[must_use]
    pub fn dictionary(&self) -> Vec<(u16, Vec<u8>)> {
        let features = self.template.features();
        let mut policy = vec![
            ComponentId::ROLES_LIST,
            ComponentId::PREAUTH_LIST,
            ComponentId::BASE_ROOM_POLICY,
        ];
        policy.extend(features.present());
        let required = [
            ComponentId::FRANKING_AGENT,
            ComponentId::PARTICIPANT_LIST,
            ComponentId::ROOM_METADATA,
            ComponentId::ROLES_LIST,
            ComponentId::PREAUTH_LIST,
            ComponentId::BASE_ROOM_POLICY,
        ];
        let participants = ParticipantListData {
            participants: vec![UserRolePair {
                user: self.owner.clone(),
                role_index: OWNER,
            }],
        };
        let metadata = RoomMetaData {
            room_uri: self.room.clone(),
            room_name: self.name.clone(),
            room_descriptions: Vec::new(),
            room_avatar: None,
            room_subject: String::new(),
            room_mood: String::new(),
        };
        let roles = RoleData {
            roles: roles(self.template),
        };
        let base = BaseRoomPolicy {
            fixed_membership: false,
            parent_dependant: false,
            parent_room: None,
            multi_device: true,
            max_clients: None,
            max_users: None,
            pseudonyms_allowed: false,
            persistent_room: false,
            discoverable: self.template.is_open(),
            policy_component_ids: policy,
        };
        let mut dictionary = vec![
            list(ComponentId::APP_COMPONENTS, &required),
            list(ComponentId::SAFE_AAD, &[ComponentId::FRANK_AAD]),
            (ComponentId::FRANKING_AGENT.0, self.franking_agent.to_bytes()),
            (ComponentId::PARTICIPANT_LIST.0, participants.to_bytes()),
            (ComponentId::ROOM_METADATA.0, metadata.to_bytes()),
            (ComponentId::ROLES_LIST.0, roles.to_bytes()),
            (ComponentId::PREAUTH_LIST.0, self.preauth().to_bytes()),
            (ComponentId::BASE_ROOM_POLICY.0, base.to_bytes()),
        ];
        dictionary.extend(features.entries());
        dictionary.sort_by_key(|(component, _)| *component);
        dictionary
    }

    /// The hub, and nobody else, acts in a role of its own: it removes the clients of people who left.
    fn preauth(&self) -> PreAuthData {
        let claim = Claim {
            claim_id: ClaimId {
                credential_type: CredentialType::X509,
                id: SUBJECT_ALT_NAME.to_vec(),
            },
            claim_value: provider_claim(self.room.authority()).into_bytes(),
        };
        PreAuthData {
            preauthorized_entries: vec![PreAuthRoleEntry {
                claimset: vec![claim],
                target_role: hub(),
            }],
        }
    }
}

/// What a reader may do.
pub(super) const READER: &[CapabilityType] = &[
    CapabilityType::CAN_REMOVE_SELF,
    CapabilityType::CAN_ADD_OWN_CLIENT,
    CapabilityType::CAN_REMOVE_OWN_CLIENT,
    CapabilityType::CAN_RECEIVE_MESSAGE,
    CapabilityType::CAN_COPY_MESSAGE,
    CapabilityType::CAN_REPORT_ABUSE,
    CapabilityType::CAN_DOWNLOAD_IMAGE,
    CapabilityType::CAN_DOWNLOAD_AUDIO,
    CapabilityType::CAN_DOWNLOAD_VIDEO,
    CapabilityType::CAN_DOWNLOAD_ATTACHMENT,
    CapabilityType::CAN_FOLLOW_LINK,
    CapabilityType::CAN_COPY_LINK,
];

/// What an admin may do beyond a member.
const ADMINISTERS: &[CapabilityType] = &[
    CapabilityType::CAN_ADD_PARTICIPANT,
    CapabilityType::CAN_REMOVE_PARTICIPANT,
    CapabilityType::CAN_KICK,
    CapabilityType::CAN_BAN,
    CapabilityType::CAN_UNBAN,
    CapabilityType::CAN_CHANGE_USER_ROLE,
    CapabilityType::CAN_CHANGE_ROOM_NAME,
    CapabilityType::CAN_CHANGE_ROOM_DESCRIPTION,
    CapabilityType::CAN_CHANGE_ROOM_AVATAR,
    CapabilityType::CAN_CHANGE_ROOM_SUBJECT,
    CapabilityType::CAN_CHANGE_ROOM_MOOD,
    CapabilityType::CAN_CREATE_JOIN_CODE,
    CapabilityType::CAN_DELETE_JOIN_CODE,
];

/// What an owner may do beyond an admin.
const OWNS: &[CapabilityType] = &[
    CapabilityType::CAN_DELETE_OTHER_REACTION,
    CapabilityType::CAN_DELETE_OTHER_MESSAGE,
    CapabilityType::CAN_EDIT_OTHER_TOPIC,
    CapabilityType::CAN_DESTROY_ROOM,
    CapabilityType::CAN_CHANGE_ROOM_MEMBERSHIP_STYLE,
    CapabilityType::CAN_CHANGE_ROLE_DEFINITIONS,
    CapabilityType::CAN_CHANGE_PREAUTHORIZED_USER_LIST,
    CapabilityType::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE,
    CapabilityType::CAN_CHANGE_MLS_OPERATIONAL_POLICIES,
];

fn roles(template: Template) -> Vec<Role> {
    let leaves = CapabilityType::CAN_REMOVE_SELF;
    let member: BTreeSet<CapabilityType> = template.member().iter().copied().chain([leaves]).collect();
    let member: Vec<CapabilityType> = member.into_iter().collect();
    let admin = [&[leaves], DIRECT_CAPABILITIES, ADMINISTERS].concat();
    let owner = [admin.as_slice(), OWNS].concat();
    let admin_changes: &[(u32, &[u32])] = &[
        (0, &[READ_ONLY, MEMBER]),
        (BANNED, &[0, READ_ONLY, MEMBER]),
        (READ_ONLY, &[0, BANNED, MEMBER]),
        (MEMBER, &[0, BANNED, READ_ONLY]),
        // The one entry by which an admin leaves also lets an admin remove another: the draft has no other way.
        (ADMIN, &[0]),
    ];
    let owner_changes: &[(u32, &[u32])] = &[
        (0, &[READ_ONLY, MEMBER, ADMIN, OWNER]),
        (BANNED, &[0, READ_ONLY, MEMBER, ADMIN, OWNER]),
        (READ_ONLY, &[0, BANNED, MEMBER, ADMIN, OWNER]),
        (MEMBER, &[0, BANNED, READ_ONLY, ADMIN, OWNER]),
        (ADMIN, &[0, BANNED, READ_ONLY, MEMBER, OWNER]),
        (OWNER, &[0, BANNED, READ_ONLY, MEMBER, ADMIN]),
    ];
    let mut banned = role(BANNED, "banned", &[], &[]);
    // draft-ietf-mimi-room-policy-03 §3: "If the maximum number of active participants is zero, then no
    // participants are allowed to have clients".
    banned.maximum_active_participants_constraint = Some(0);
    let mut owner = role(OWNER, "owner", &owner, owner_changes);
    // The last owner can neither leave nor be moved.
    owner.minimum_participants_constraint = 1;
    let mut roles = vec![
        banned,
        role(READ_ONLY, "read-only", READER, &[(READ_ONLY, &[0])]),
        role(MEMBER, "member", &member, &[(MEMBER, &[0])]),
        role(ADMIN, "admin", &admin, admin_changes),
        owner,
        hub(),
    ];
    // Who is not on the list. A link opens nothing before somebody makes one.
    let anybody = if template.is_open() {
        // draft-ietf-mimi-room-policy-03 §8.1.1: "any user who is not already in the participant list can add itself".
        let open = &[CapabilityType::CAN_OPEN_JOIN, CapabilityType::CAN_USE_JOIN_CODE];
        role(0, "anybody", open, &[(0, &[MEMBER])])
    } else {
        let by_link = &[CapabilityType::CAN_USE_JOIN_CODE];
        role(0, "anybody", by_link, &[(0, &[READ_ONLY, MEMBER])])
    };
    roles.insert(0, anybody);
    roles
}

/// The role of the hub, which nobody on the list can have.
fn hub() -> Role {
    let mut hub = role(HUB, "hub", &[CapabilityType::CAN_KICK], &[]);
    hub.maximum_participants_constraint = Some(0);
    hub.maximum_active_participants_constraint = Some(0);
    hub
}

fn role(
    role_index: u32,
    role_name: &str,
    role_capabilities: &[CapabilityType],
    authorized: &[(u32, &[u32])],
) -> Role {
    Role {
        role_index,
        role_name: role_name.to_owned(),
        role_description: String::new(),
        role_capabilities: role_capabilities.to_vec(),
        minimum_participants_constraint: 0,
        maximum_participants_constraint: None,
        minimum_active_participants_constraint: 0,
        maximum_active_participants_constraint: None,
        authorized_role_changes: authorized
            .iter()
            .map(|(from, targets)| SingleSourceRoleChangeTargets {
                from_role_index: *from,
                target_role_indexes: targets.to_vec(),
            })
            .collect(),
    }
}
