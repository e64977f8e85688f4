//! What a room's state means, the same for hub and client: the components of the GroupContext, the rules by which
//! they change, and who may change them.

mod components;
mod direct;
mod group;
mod participants;
pub mod policy;
mod roles;
mod state;
#[cfg(test)]
mod tests;

pub use components::RoomRules;
pub use direct::{DIRECT_ROLE, DirectRoom};
pub use group::GroupRoom;
pub use participants::{ParticipantError, apply_update, apply_updates};
pub use roles::{ADMIN, BANNED, MEMBER, OWNER, READ_ONLY, RoleError, allows};
pub use state::{RoomKind, RoomState, StateError};

pub(crate) use roles::check as check_roles;
