//! The synchronous engines: room rules, hub, follower, conversation.
//!
//! ```text
//!   input --> engine.handle(now, rng, input) --> Effects { changes, events, reply } --> shell:
//!                                                   commit changes with its own rows in one transaction,
//!                                                   then answer and send, then publish
//! ```
//!
//! Engines do no I/O and know no clock and no ambient randomness. After an error, state and changes are as
//! before. The shell of a provider is `sabir-server`, of a client `sabir-client`.
//!
//! * [`room`]: what a room's state means: participants, roles, policy, and who may do what.
//! * [`frank`]: franking, on all three sides.
//! * [`hub`]: the one sequencer of a room.
//! * [`follower`]: a provider whose users take part in another provider's room.
//! * [`conversation`]: a client's side of a room.
//! * [`key_material`]: key packages asked for, handed out and checked.
//! * [`timeline`]: what a message does to the messages before it, and who may do that.

pub mod conversation;
pub mod follower;
pub mod frank;
pub mod hub;
pub mod key_material;
pub mod room;
mod scope;
pub mod timeline;

pub use scope::{mls_rows, scoped};

/// Milliseconds since the UNIX epoch, as every timestamp of MIMI.
pub type Millis = u64;
