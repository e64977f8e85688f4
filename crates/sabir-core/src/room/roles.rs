use sabir_wire::policy::{CapabilityType, Role, RoleData};
use thiserror::Error;

use super::RoomState;
use sabir_wire::uri::UserUri;

/// Role index of the banned (draft-ietf-mimi-room-policy-03 §8.1.3).
pub const BANNED: u32 = 1;

/// Role index of people who only receive, in rooms of our template ([`super::GroupRoom`]).
pub const READ_ONLY: u32 = 2;
/// Role index of members, in rooms of our template.
pub const MEMBER: u32 = 3;
/// Role index of admins, in rooms of our template.
pub const ADMIN: u32 = 4;
/// Role index of owners, in rooms of our template.
pub const OWNER: u32 = 5;
/// Role index under which the hub acts, in rooms of our template; nobody on the list has it.
pub(super) const HUB: u32 = 6;

/// Why role definitions cannot be those of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RoleError {
    /// Two roles have the same index.
    #[error("role {0} is defined twice")]
    Repeated(u32),
    /// Role 1 has another meaning than it must.
    #[error("role 1 is not \"banned\"")]
    NotBanned,
    /// A participant has the role of those who are not on the list.
    #[error("a participant has role 0")]
    Zero,
    /// A capability is where the draft forbids it.
    #[error("role {0} has a capability that it must not have")]
    Capability(u32),
    /// A preauthorised role is not the room's role of that index.
    #[error("preauthorised role {0} is not the room's")]
    Preauthorised(u32),
    /// A participant has a role that is not defined.
    #[error("a participant has role {0}, which is not defined")]
    Undefined(u32),
}

/// Whether a user on the list holds a capability. Who is not on the list holds none here.
#[must_use]
pub fn allows(state: &RoomState, user: &UserUri, capability: CapabilityType) -> bool {
    state
        .role_of(user)
        .is_some_and(|role: &Role| role.has(capability))
}

/// Checks role definitions against themselves and the participant list.
///
/// # Errors
/// [`RoleError`].
pub(crate) fn check(state: &RoomState) -> Result<(), RoleError> {
    let RoleData { roles } = &state.roles;
    for (position, role) in roles.iter().enumerate() {
        if roles
            .iter()
            .take(position)
            .any(|earlier| earlier.role_index == role.role_index)
        {
            return Err(RoleError::Repeated(role.role_index));
        }
        if role.role_index == BANNED && role.role_name != "banned" {
            return Err(RoleError::NotBanned);
        }
        // draft-ietf-mimi-room-policy-03 §8.1.1: "canOpenJoin MUST NOT appear in any non-zero role".
        let open = role.role_index != 0 && role.has(CapabilityType::CAN_OPEN_JOIN);
        // draft-ietf-mimi-room-policy-03 §5: in a fixed-membership room nobody can add participants.
        let grows = state.base.fixed_membership
            && role.role_index > BANNED
            && role.has(CapabilityType::CAN_ADD_PARTICIPANT);
        if open || grows {
            return Err(RoleError::Capability(role.role_index));
        }
    }
    for entry in &state.preauth.preauthorized_entries {
        // draft-ietf-mimi-room-policy-03 §4: the entry holds a whole role, which is one of the room's.
        let index = entry.target_role.role_index;
        if state.roles.role(index) != Some(&entry.target_role) {
            return Err(RoleError::Preauthorised(index));
        }
    }
    for entry in &state.participants.participants {
        if entry.role_index == 0 {
            return Err(RoleError::Zero);
        }
        if !roles.iter().any(|role| role.role_index == entry.role_index) {
            return Err(RoleError::Undefined(entry.role_index));
        }
    }
    Ok(())
}
