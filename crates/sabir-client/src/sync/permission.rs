//! What a person's role lacks for a change of a room, in words. The engine decides; this only explains, and says
//! nothing where the role is not what is missing.

use sabir_core::conversation::Intent;
use sabir_core::room::{BANNED, RoomState};
use sabir_wire::mls::ComponentId;
use sabir_wire::policy::{CapabilityType, Role};
use sabir_wire::uri::UserUri;

/// The roles people can have, from the least to the most powerful.
pub(super) fn roles(state: &RoomState) -> impl Iterator<Item = &Role> {
    let hubs: Vec<u32> = state
        .preauth
        .preauthorized_entries
        .iter()
        .map(|entry| entry.target_role.role_index)
        .collect();
    let mut roles: Vec<&Role> = state.roles.roles.iter().collect();
    roles.retain(|role| role.role_index != 0 && !hubs.contains(&role.role_index));
    roles.sort_by_key(|role| role.role_index);
    roles.into_iter()
}

/// What is missing, for people: "only an admin or owner may add people here; you are member".
pub(super) fn lacking(state: &RoomState, me: &UserUri, intent: &Intent) -> Option<String> {
    let own = state.role_of(me)?;
    if let Some(why) = last_of_a_role(state, me, own, intent) {
        return Some(why);
    }
    let able: Vec<&Role> = roles(state).filter(|role| may(state, role, intent)).collect();
    if able.iter().any(|role| role.role_index == own.role_index) {
        return None;
    }
    let what = wording(state, intent);
    let who = match able.as_slice() {
        [] => return Some(format!("nobody may {what} here")),
        [one] => article(&one.role_name),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(|role| role.role_name.as_str()).collect();
            format!("{} or {}", article(&rest.join(", ")), last.role_name)
        }
    };
    Some(format!("only {who} may {what} here; you are {}", own.role_name))
}

/// A role that must be held by so many people cannot be given up by the last of them.
fn last_of_a_role(state: &RoomState, me: &UserUri, own: &Role, intent: &Intent) -> Option<String> {
    let (user, leaves) = match intent {
        Intent::Leave => (me, true),
        Intent::Remove { user } | Intent::Ban { user } => (user, true),
        Intent::SetRole { user, role } => (user, state.participant(user)?.role_index != *role),
        _ => return None,
    };
    let role = if user == me { own } else { state.role_of(user)? };
    let list = state.participants.participants.iter();
    let holders = list.filter(|entry| entry.role_index == role.role_index).count();
    let least = usize::try_from(role.minimum_participants_constraint).unwrap_or(usize::MAX);
    let name = &role.role_name;
    (leaves && least > 0 && holders <= least)
        .then(|| format!("the last {name} stays {name}; give somebody else this role first"))
}

fn may(state: &RoomState, role: &Role, intent: &Intent) -> bool {
    let from = |user: &UserUri| state.participant(user).map_or(0, |entry| entry.role_index);
    let moves = |from: u32, to: u32| {
        let mut changes = role.authorized_role_changes.iter();
        changes.any(|entry| entry.from_role_index == from && entry.target_role_indexes.contains(&to))
    };
    match intent {
        Intent::Add { user, role: to } => {
            role.has(CapabilityType::CAN_ADD_PARTICIPANT) && (from(user) != 0 || moves(0, *to))
        }
        Intent::Remove { user } => role.has(CapabilityType::CAN_REMOVE_PARTICIPANT) && moves(from(user), 0),
        Intent::Ban { user } => role.has(CapabilityType::CAN_BAN) && moves(from(user), BANNED),
        Intent::Unban { user, role: to } => role.has(CapabilityType::CAN_UNBAN) && moves(from(user), *to),
        Intent::SetRole { user, role: to } => {
            role.has(CapabilityType::CAN_CHANGE_USER_ROLE) && moves(from(user), *to)
        }
        Intent::Rename { .. } => role.has(CapabilityType::CAN_CHANGE_ROOM_NAME),
        Intent::SetPolicy { policies } => policies.iter().all(|(component, _)| {
            role.has(match *component {
                ComponentId::ROLES_LIST => CapabilityType::CAN_CHANGE_ROLE_DEFINITIONS,
                ComponentId::PREAUTH_LIST => CapabilityType::CAN_CHANGE_PREAUTHORIZED_USER_LIST,
                ComponentId::BASE_ROOM_POLICY => CapabilityType::CAN_CHANGE_ROOM_MEMBERSHIP_STYLE,
                ComponentId::MLS_OPERATIONAL_POLICY => CapabilityType::CAN_CHANGE_MLS_OPERATIONAL_POLICIES,
                _ => CapabilityType::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE,
            })
        }),
        Intent::ChangeLinks { added, removed } => {
            let first = state.features.join_link.is_none() && added.is_some();
            role.has(CapabilityType::CAN_CHANGE_OTHER_POLICY_ATTRIBUTE)
                || (!first
                    && (added.is_none() || role.has(CapabilityType::CAN_CREATE_JOIN_CODE))
                    && (removed.is_empty() || role.has(CapabilityType::CAN_DELETE_JOIN_CODE)))
        }
        Intent::Leave => role.has(CapabilityType::CAN_REMOVE_SELF),
    }
}

fn wording(state: &RoomState, intent: &Intent) -> String {
    let named = |index: u32| state.role_name(index).unwrap_or("somebody").to_owned();
    let whom = |user: &UserUri| match state.role_of(user) {
        Some(role) => article(&role.role_name),
        None => "people".to_owned(),
    };
    match intent {
        Intent::Add { role, .. } if named(*role) == "member" => "add people".to_owned(),
        Intent::Add { role, .. } => format!("add people as {}", named(*role)),
        Intent::Remove { user } => format!("remove {}", whom(user)),
        Intent::Ban { user } => format!("ban {}", whom(user)),
        Intent::Unban { .. } => "unban people".to_owned(),
        Intent::SetRole { user, role } => format!("make {} {}", whom(user), named(*role)),
        Intent::Rename { .. } => "rename the room".to_owned(),
        Intent::SetPolicy { .. } => "change these rules".to_owned(),
        Intent::ChangeLinks { added: None, .. } => "withdraw join links".to_owned(),
        Intent::ChangeLinks { .. } if state.features.join_link.is_none() => {
            "make the first join link of a room, which gives it a rule for links".to_owned()
        }
        Intent::ChangeLinks { .. } => "make join links".to_owned(),
        Intent::Leave => "leave".to_owned(),
    }
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}
