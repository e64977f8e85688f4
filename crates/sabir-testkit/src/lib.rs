//! Towns of real providers and clients, for tests and the demonstration (dev only).
//!
//! ```text
//!   Town --- makes a private CA, starts ---> sabird a.example, sabird b.example, ...   (loopback, own data folders)
//!        --- asks by command --------------> sabir --profile alice ... --json          (each with its own agent)
//! ```
//!
//! Nothing here looks inside: providers and clients are the binaries people run, asked through the commands
//! people type. Every process a town starts ends with it, by its own pid.

mod binaries;
mod error;
pub mod load;
pub mod peers;
mod pki;
mod process;
mod profile;
mod provider;
pub mod sim;
pub mod story;
mod town;
mod wait;

pub use binaries::Binaries;
pub use error::TownError;
pub use pki::Authority;
pub use profile::Profile;
pub use provider::Provider;
pub use town::{Dialogue, Town, find, text_of};
pub use wait::until;
