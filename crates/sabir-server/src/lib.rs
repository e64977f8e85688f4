//! The provider: library and the binary `sabird`.

pub mod cli;
pub mod config;
pub mod directory;
pub mod error;
pub mod http;
pub mod peer;
pub mod tls;
