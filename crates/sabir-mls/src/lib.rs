//! The only crate that names the MLS library: groups, observers, credentials, key packages.
//!
//! ```text
//!   bytes + rows + now + rng --> Group | Observer | key_package --> facts, bytes to send, row changes
//! ```
//!
//! * [`group`]: a member's view; [`observer`]: a hub's. Both leave their changes to the caller to persist.
//! * [`key_package`]: made by devices, verified by whoever hands them out or uses them.
//! * [`identity`]: X.509 certificates and credentials, and every rule by which they are judged.
//! * [`app_data`]: the list rules of AppDataUpdate, which the library does not enforce.
//! * [`provider`], [`rows`], [`keys`], [`suite`]: cryptography, storage and randomness for the library and engines.
//!
//! The library reads the wall clock where it judges lifetimes of leaves and works in threads where it encrypts
//! paths; both are contained here, and neither changes what comes out.

pub mod app_data;
mod claims;
mod commit_facts;
mod error;
pub mod group;
pub mod identity;
pub mod key_package;
pub mod keys;
mod leaf;
pub mod observer;
pub mod provider;
pub mod rows;
pub mod suite;
mod tree;

pub use commit_facts::{AddFact, AppDataFact, Author, CommitFacts, Judge, LeafFact, RemoveFact};
pub use error::MlsError;
pub use leaf::{Device, SUPPORTED_COMPONENTS};
