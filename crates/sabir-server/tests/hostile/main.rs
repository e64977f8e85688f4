//! Whoever means harm: for every route of a provider, what is malformed, oversized, slow, of the wrong type or method,
//! repeated, somebody else's, or too much at once. Each gets its code, is one record in the log and changes nothing.
//!
//! [`table`] has a row for every route; a route without one fails a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stderr,
    reason = "tests"
)]

mod bodies;
mod company;
mod http2;
mod leaves;
mod people;
mod process;
mod requests;
#[allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#[path = "../../../sabir-mls/tests/world/resign.rs"]
mod resign;
mod roles;
#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "../provider/support/mod.rs"]
mod support;
mod table;
mod world;
