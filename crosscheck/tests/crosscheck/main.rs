//! Our cryptography under the MLS library against the library's own (`openmls_rust_crypto`, on RustCrypto and hpke-rs).
//!
//! ```text
//!    random inputs of a fixed seed --+--> sabir_mls::provider (aws-lc-rs) ----+--> equal, or refused by both
//!                                    +--> openmls_rust_crypto (RustCrypto) ---+
//!
//!    a group of MLS: members on ours and on theirs by turns --> the same secrets in every epoch
//! ```
//!
//! * [`primitives`]: hash, MAC, key derivation, AEAD.
//! * [`signatures`], [`hpke`]: what one side makes, the other takes; what is altered or malformed, neither takes.
//! * [`groups`]: creation, Welcome, commits, messages, removal.
//! * [`differences`]: where the two part on purpose, and which suites theirs lacks, by name.
//!
//! This is a crate outside the workspace, with a lock file of its own, because the other provider brings some 60
//! packages that nothing else of ours needs, and the workspace's lock file stays under 400. What counts is held equal
//! all the same: `cargo xtask deny` refuses versions of what `sabir-mls` ships that differ between the two lock files.
//! `cargo xtask test` runs it; so does `cargo test` in this folder, which shares the workspace's target folder.

#![forbid(unsafe_code)]

mod differences;
mod groups;
mod hpke;
mod inputs;
mod members;
mod primitives;
mod signatures;
