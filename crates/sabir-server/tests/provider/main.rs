//! Whole providers in this process, on loopback, with real TLS: what devices and other providers see of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod accounts;
mod direct_room;
mod refusals;
#[allow(dead_code, reason = "each file uses its part")]
mod support;
