//! What a message does to the messages before it, and who may do that: the one place where it is decided.
//!
//! ```text
//!   MimiContent --Act::read--> Act --target()--> the shell looks it up --judge--> Effect
//! ```
//!
//! A message says something new, answers, reacts, edits, deletes, or reports what became of others. The hub cannot
//! see which (draft-ietf-mimi-room-policy-03 §8.3: these capabilities "can only be enforced by other clients"), so
//! every client judges, the sender's own before it writes a message down ([`permit`]) and all of them when the log
//! brings it ([`judge`]), by the roles of that moment. All clients see the same messages and the same roles in the
//! same order, so they come to the same result.
//!
//! * **A person acts, not a device.** Whoever sent a message is its author on each of their devices.
//! * **The last edit counts**, in the room's order. It names the first instance; one that names a later version of
//!   the same message means the message all the same. It changes what the message says and nothing else: position,
//!   sender, time, what it answers, topic and expiration stay (draft-ietf-mimi-content §9.3).
//! * **Deleted is the end.** What arrives for a message that is gone was under way when it went, and does nothing.
//! * **An unproved sender changes nothing of others' making.** What it says is shown, with a mark.
//! * **No loops.** A reply names the hash of what it answers, which therefore existed before it; an edit cannot
//!   change what a message answers (draft-ietf-mimi-content §4.1).

mod act;
mod judge;
#[cfg(test)]
mod tests;

pub use act::{Act, Becomes, MAX_REACTION, MAX_REACTIONS, is_reaction};
pub use judge::{Actor, Effect, Fact, Kind, Refusal, judge, permit};
