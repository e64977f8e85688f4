//! What the roles of a room may do, in words: read off their capabilities, never off their names.

use sabir_core::room::{BANNED, RoomState};
use sabir_wire::policy::{CapabilityType as C, Role};

use super::permission;
use crate::types::RolePowers;

/// Capabilities that say enough by themselves. Where several stand together, a role that has all of them.
const PLAIN: &[(&[C], &str)] = &[
    (&[C::CAN_OPEN_JOIN], "come in"),
    (&[C::CAN_JOIN_IF_PREAUTHORIZED], "come in where preauthorised"),
    (&[C::CAN_RECEIVE_MESSAGE], "read"),
    (&[C::CAN_SEND_MESSAGE], "write"),
    (&[C::CAN_REACT_TO_MESSAGE], "react"),
    (
        &[
            C::CAN_UPLOAD_ATTACHMENT,
            C::CAN_UPLOAD_IMAGE,
            C::CAN_UPLOAD_AUDIO,
            C::CAN_UPLOAD_VIDEO,
        ],
        "send files",
    ),
    (&[C::CAN_DELETE_OTHER_MESSAGE], "delete what others wrote"),
    (&[C::CAN_KICK], "take devices out of the room"),
    (
        &[C::CAN_CHANGE_OWN_ROLE],
        "take the role they are preauthorised for",
    ),
    (&[C::CAN_CHANGE_ROOM_NAME], "rename the room"),
    (&[C::CAN_CREATE_JOIN_CODE], "make join links"),
    (&[C::CAN_DELETE_JOIN_CODE], "withdraw join links"),
    (&[C::CAN_USE_JOIN_CODE], "come in by a join link"),
    (&[C::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE], "change the rules"),
    (
        &[C::CAN_CHANGE_MLS_OPERATIONAL_POLICIES],
        "change the rules of MLS itself",
    ),
    (
        &[C::CAN_CHANGE_ROOM_MEMBERSHIP_STYLE],
        "say how many people and devices there may be",
    ),
    (&[C::CAN_CHANGE_ROLE_DEFINITIONS], "say what roles may do"),
    (
        &[C::CAN_CHANGE_PREAUTHORIZED_USER_LIST],
        "say who is preauthorised",
    ),
    (&[C::CAN_ADD_OWN_CLIENT], "bring their own devices"),
    (&[C::CAN_REMOVE_SELF], "leave"),
];

/// Every role that people can have, from the least to the most powerful, and what people without one may do.
pub(super) fn of(state: &RoomState) -> Vec<RolePowers> {
    let outside = state
        .roles
        .role(0)
        .filter(|role| !role.role_capabilities.is_empty());
    outside
        .into_iter()
        .chain(permission::roles(state))
        .map(|role| RolePowers {
            role: if role.role_index == 0 {
                "anybody".to_owned()
            } else {
                role.role_name.clone()
            },
            may: words(state, role),
            capabilities: role.role_capabilities.iter().map(ToString::to_string).collect(),
        })
        .collect()
}

fn words(state: &RoomState, role: &Role) -> Vec<String> {
    let plain = PLAIN
        .iter()
        .filter(|(needed, _)| needed.iter().all(|capability| role.has(*capability)))
        .map(|(_, words)| (*words).to_owned());
    let mut words: Vec<String> = plain.collect();
    let from = |from: u32| -> Vec<u32> {
        let entries = role.authorized_role_changes.iter();
        let entries = entries.filter(|entry| entry.from_role_index == from);
        entries
            .flat_map(|entry| entry.target_role_indexes.iter().copied())
            .collect()
    };
    let names = |indexes: Vec<u32>| {
        let names: Vec<&str> = indexes
            .iter()
            .filter_map(|index| state.role_name(*index))
            .collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let who = |to: &dyn Fn(u32, &[u32]) -> bool| {
        let roles = permission::roles(state).map(|role| role.role_index);
        names(roles.filter(|index| to(*index, &from(*index))).collect())
    };
    let mut with = |capability: C, what: &str, whom: Option<String>| {
        if let (true, Some(whom)) = (role.has(capability), whom) {
            words.push(format!("{what} {whom}"));
        }
    };
    with(C::CAN_ADD_PARTICIPANT, "add people as", names(from(0)));
    with(C::CAN_REMOVE_PARTICIPANT, "remove", who(&|_, to| to.contains(&0)));
    with(
        C::CAN_BAN,
        "ban",
        who(&|index, to| index != BANNED && to.contains(&BANNED)),
    );
    with(
        C::CAN_UNBAN,
        "unban people as",
        names(from(BANNED).into_iter().filter(|to| *to > BANNED).collect()),
    );
    with(
        C::CAN_CHANGE_USER_ROLE,
        "change the role of",
        who(&|index, to| index != BANNED && to.iter().any(|to| *to > BANNED && *to != index)),
    );
    words
}
