//! What a room's state means, the same for hub and client: the components of the GroupContext, and the rules
//! by which they change.

mod components;
mod direct;
mod participants;
mod roles;
mod state;
#[cfg(test)]
mod tests;

pub use components::RoomRules;
pub use direct::{DIRECT_ROLE, DirectRoom};
pub use participants::{ParticipantError, apply_update};
pub use roles::{BANNED, RoleError, allows};

pub(crate) use roles::check as check_roles;
pub use state::{RoomState, StateError};
