//! The only crate that names the MLS library: groups, observers, credentials, key packages.

pub mod identity;
pub mod keys;
pub mod provider;
pub mod rows;
