//! What every implementation of `Store` keeps: told as stories, and searched for at random against the model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod action;
mod assets;
mod backend;
mod faults;
mod people;
mod random;
mod snapshot;
mod sqlite;
mod stories;
