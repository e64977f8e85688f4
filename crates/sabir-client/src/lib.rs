//! A client without a face: accounts, conversations, store, sync, outbox, transport.
//!
//! Plain data goes in and out ([`types`]); state, rules and security are settled here or in the engines below,
//! never in a face.
//!
//! * [`types`]: messages, rooms and events as faces see them, with a stable JSON shape.
//! * [`invite`]: the links that accounts are made from.
//! * [`store`]: the profile on disk, every value sealed.

pub mod invite;
pub mod random;
pub mod store;
pub mod types;
