//! The listener: connections in, bounded requests with their context out.
//!
//! ```text
//! TCP --limits--> TLS --handshake timeout--> HTTP/2 --idle, age, drain--> gate --> axum router
//!                  |                                                       |
//!                  +-- domains of the certificate, exporter --> Context ---+ Host is ours
//! ```
//!
//! Invariant: no request reaches a handler without a [`Context`], and none under `/mimi/` reaches its logic
//! without a [`PeerIdentity`], a domain that the connection's certificate proves.
//!
//! Small writes of a connection leave together, once the tasks that are ready have had their turn (`cork`).
//!
//! A handler's future is dropped when its caller resets the stream. What must finish once begun, such as an
//! engine's call with its commit, runs in a task of its own.

mod authority;
mod body;
mod client_errors;
mod connection;
mod context;
mod cork;
mod directory;
mod listener;
mod quota;
mod tunnel;
mod work;

pub use authority::{Claim, authorise_from};
pub use body::{AddressMemory, BodyRules, Payload, at_most, check_content_type};
pub use connection::ConnectionRules;
pub use context::{Context, PeerIdentity, last_segment, parse_from};
pub use directory::directory_routes;
pub use listener::{Listener, Rules};
pub use tunnel::{TUNNEL_PATH, TunnelTarget};
pub use work::{binary, finish};
