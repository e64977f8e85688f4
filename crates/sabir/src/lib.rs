//! The agent that owns a profile, and the commands that speak to it.
//!
//! ```text
//!   sabir send, chat, log, …        one process per command
//!        │ JSON-RPC 2.0, one object per line, over a socket that only this user may open
//!        ▼
//!   sabir agent                     one process per profile, started when needed
//!        │
//!        ▼
//!   sabir-client                    account, rooms, sync, outbox; the profile on disk
//! ```
//!
//! * [`cli`]: what people type, and what they read.
//! * [`rpc`]: the protocol between the two.
//! * [`agent`]: the owner of the profile.
//! * [`profile`]: its folder, and where the socket is.
//! * [`address`]: to whom.
//! * [`terminal`]: remote text, made fit to be shown.
//!
//! Invariant: a face decides nothing. What can be read by whom, what is sent and what failed is settled in the
//! client library; here it is passed on and put into words.

mod address;
mod agent;
mod cli;
mod profile;
mod rpc;
mod terminal;

pub use cli::main;
