//! The provider: library and the binary `sabird`.

pub mod cli;
pub mod config;
pub mod tls;
