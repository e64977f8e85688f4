//! JSON-RPC 2.0 between a profile's agent and those who speak to it: one JSON object per line.
//!
//! * [`lines`]: lines of bounded length.
//! * [`message`]: requests, answers, notifications.
//! * [`code`]: the one registry of error codes.
//! * [`methods`]: the parameters and results of each method.
//! * [`files`]: the same of those that move files.
//! * [`caller`]: the side that asks.
//!
//! docs/json-rpc.md is the contract; tests hold it against this folder.

pub(crate) mod caller;
pub(crate) mod code;
pub(crate) mod devices;
pub(crate) mod files;
pub(crate) mod lines;
pub(crate) mod message;
pub(crate) mod methods;
pub(crate) mod rooms;
