//! The only crate that names the MLS library: groups, observers, credentials, key packages.
