use sabir_wire::policy::{CapabilityType, Role, RoleData};
use thiserror::Error;

use super::RoomState;
use sabir_wire::uri::UserUri;

/// Role index of the banned (draft-ietf-mimi-room-policy-03 §8.1.3).
pub const BANNED: u32 = 1;

/// Why role definitions cannot be those of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RoleError {
    /// Two roles have the same index.
    #[error("role {0} is defined twice")]
    Repeated(u32),
    /// Role 1 has another meaning than it must.
    #[error("role 1 is not \"banned\"")]
    NotBanned,
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
    }
    for entry in &state.participants.participants {
        if !roles.iter().any(|role| role.role_index == entry.role_index) {
            return Err(RoleError::Undefined(entry.role_index));
        }
    }
    Ok(())
}
