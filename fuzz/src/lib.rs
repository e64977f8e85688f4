//! Every decoder and every engine input as a function of bytes that must not panic, hang or break its promise.
//!
//! ```text
//!   targets/NAME.rs --(nightly, coverage)--> list::TARGETS <--(stable, corpus and seeded damage)-- sabir-core's tests/replay.rs
//! ```
//!
//! A target asserts more than that nothing panics: what a decoder accepts has one encoding; what an engine refuses
//! leaves its state as it was; what it accepts can be loaded again.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a target reports by panicking"
)]

mod client;
mod content;
mod genuine;
#[path = "../../crates/sabir-core/tests/group_support/mod.rs"]
mod group_support;
pub mod list;
mod provider;
#[path = "../../crates/sabir-core/tests/town/mod.rs"]
mod town;
mod wire;
#[path = "../../crates/sabir-mls/tests/world/mod.rs"]
mod world;
