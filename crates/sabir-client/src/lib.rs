//! A client without a face: accounts, conversations, store, sync, outbox, transport.
//!
//! Plain data goes in and out ([`types`]); state, rules and security are settled here or in the engines below,
//! never in a face.
//!
//! * [`types`]: messages, rooms and events as faces see them, with a stable JSON shape.
//! * [`account`]: who the person is, and how an account is made.
//! * [`files`]: files in messages, both ways.
//! * [`invite`]: the links that accounts are made from.
//! * [`store`]: the profile on disk, every value sealed.
//! * [`sync`]: the owner of an open profile, [`Client`], which everything else serves.
//! * [`transport`]: the one connection to the own provider.

pub mod account;
pub mod files;
pub mod invite;
mod pairing;
pub mod random;
pub mod store;
pub mod sync;
#[cfg(test)]
mod testing;
pub mod transport;
pub mod types;

pub use sabir_core::timeline::Refusal;
pub use sync::{Adding, Client, ClientError, Subscription};
