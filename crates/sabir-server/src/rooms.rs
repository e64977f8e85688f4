//! Rooms: the shell around the hub and follower engines.
//!
//! ```text
//! request --> slot of the room (one at a time) --> engine --> Effects --> one command of the store --> answer
//!                                                     |                         |
//!                                                  refused                answered before
//!                                                     +--> the stored answer <--+
//! ```
//!
//! Invariants:
//! * An engine that is loaded is the stored room, or is ahead of it by commands that are on their way to the store in
//!   this order. When such a command fails, the engine is dropped and the room is loaded again once the others have
//!   ended, so that whatever was computed from it conflicts and is computed anew.
//! * Answers go out after their command is durable. A refusal is computed from durable state alone: only accepted
//!   messages, which no refusal depends on, are on their way while the next request is looked at.
//! * The map of rooms is locked for a look-up, never while anything waits.
//! * Whoever waits for another provider holds no room.

mod answer;
mod follower;
mod hub;
mod registry;

pub use answer::RequestName;
pub use follower::{is_followed_by, joined_from_outside, notify};
pub use hub::{Who, create, group_info, is_here_with, submit, update};
pub use registry::Rooms;

/// What the bodies of a room's log are.
pub const FANOUT: u16 = 1;

/// How often a request is computed anew because another write was first.
const TRIES: usize = 8;
