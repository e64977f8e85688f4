//! Every MIMI structure as a Rust type with its codec, and nothing else.
//!
//! Structures follow the drafts field by field, in the drafts' order, under the drafts' names. This crate
//! decides nothing: it checks what the encoding itself demands (lengths, enumerations, canonical forms) and
//! leaves rules about rooms and people to `sabir-core`. It does no I/O, knows no clock and no randomness.
//!
//! * [`codec`]: the TLS presentation language: [`codec::Reader`], [`codec::Encode`], [`codec::Decode`].
//! * [`content`], [`status`]: what messages say, in deterministic CBOR.
//! * [`mls`]: the structures of MLS that MIMI embeds without lengths.
//! * [`client_api`], [`device_list`]: our own structures, between a device and its provider and in leaves.
//! * [`recovery`]: the proof that a person replaced their identity key.
//! * [`pairing`]: what two devices of one person say to each other while one of them is linked.
//! * [`components`], [`policy`]: what a room's state consists of.
//! * [`protocol`]: what providers say to each other.
//! * [`uri`]: `mimi://` identifiers, strict and canonical.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod cbor;
pub mod client_api;
pub mod codec;
pub mod components;
pub mod content;
pub mod device_list;
mod enumeration;
mod field;
pub mod mls;
pub mod pairing;
pub mod policy;
pub mod protocol;
pub mod recovery;
#[cfg(test)]
mod skip;
pub mod status;
pub mod uri;
#[cfg(test)]
mod vector_tests;
