//! What a room's state means, the same for hub and client: the components of the GroupContext, the rules by which
//! they change, and who may change them.

mod assets;
mod components;
mod direct;
mod expiry;
mod features;
mod group;
pub mod link;
mod participants;
pub mod policy;
mod roles;
mod state;
mod template;
#[cfg(test)]
mod tests;

pub use assets::{FileFacts, FileRefusal, host, may_send_file};
pub use components::RoomRules;
pub use direct::{DIRECT_ROLE, DirectRoom};
pub use expiry::{ExpiryRefusal, ExpiryWish, LONGEST_EXPIRY, against_rules, expiry};
pub use features::{FeatureError, Features};
pub use group::GroupRoom;
pub use participants::{ParticipantError, apply_update, apply_updates};
pub use roles::{ADMIN, BANNED, MEMBER, OWNER, READ_ONLY, RoleError, allows};
pub use state::{RoomKind, RoomState, StateError};
pub use template::Template;

pub(crate) use features::check as check_features;
pub(crate) use roles::check as check_roles;
