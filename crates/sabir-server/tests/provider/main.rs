//! Whole providers in this process, on loopback, with real TLS: what devices and other providers see of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stderr,
    reason = "tests"
)]

mod accounts;
mod assets;
mod concurrent;
mod direct_room;
mod groups;
mod once;
mod outbox;
mod outside;
mod recovery;
mod refusals;
mod sent;
mod streams;
#[allow(dead_code, reason = "each file uses its part")]
mod support;
mod tunnel;
mod waits;
