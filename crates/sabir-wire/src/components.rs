//! The contents of MIMI's own components in a group's `app_data_dictionary`: who is in the room, and what the
//! room is called (draft-ietf-mimi-protocol-06 §7). The policy components are in [`crate::policy`], the
//! franking agent in [`crate::protocol`].
//!
//! These structures only travel. Whether an update may be made, and what the list is afterwards, is decided by
//! the room engine.

mod participants;
mod room_metadata;
#[cfg(test)]
mod tests;
mod uri;

pub use participants::{
    MAX_PARTICIPANT_LIST, ParticipantListData, ParticipantListUpdate, UserRolePair, UserindexRolePair,
};
pub use room_metadata::{MAX_DESCRIPTION, MAX_LABEL, RichDescription, RoomMetaData};
pub use uri::{MAX_FOREIGN_URI, Uri};
