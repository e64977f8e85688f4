//! The agent: the one process that owns a profile, and its socket.
//!
//! ```text
//!   command ─┐                      ┌─ owner: the client library, or nothing yet
//!   command ─┼─ socket ─ connection ┤
//!   bot ─────┘   0600     (bounded) └─ subscriptions, waiting calls
//! ```
//!
//! * [`run`]: from the lock to the last goodbye.
//! * [`connection`]: one peer on the socket.
//! * [`dispatch`]: from a method's name to what it does.
//! * [`owner`]: the account, if the profile has one.
//! * [`start`]: the other side: a command finds the agent, or starts it.
//!
//! Invariants: who holds `agent.lock` owns the profile and the socket's name, so there is one agent at a time and
//! a socket that a dead one left behind is simply replaced. Everything a peer can make grow is bounded: lines,
//! connections, queues, waiting calls, subscriptions.

pub(crate) mod connection;
pub(crate) mod dispatch;
pub(crate) mod owner;
pub(crate) mod run;
pub(crate) mod start;

use std::time::Instant;

use tokio::sync::watch;

use crate::profile::Profile;
use owner::Owner;

/// What the connections share.
#[derive(Debug)]
pub(crate) struct Agent {
    profile: Profile,
    owner: Owner,
    started: Instant,
    connections: watch::Sender<usize>,
    stop: watch::Sender<bool>,
}

/// Connections at a time; one more is told that the agent is busy.
pub(crate) const MAX_CONNECTIONS: usize = 256;
