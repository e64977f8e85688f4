//! The provider's transport over real TLS on the loopback interface, with a private authority made on the spot.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bounds;
mod peers;
mod refusals;
mod support;
