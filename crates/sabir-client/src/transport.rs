//! The one connection between a device and its own provider.
//!
//! ```text
//! call, sign-in, event stream --> one HTTP/2 connection, TLS 1.3 --> own provider
//!                                      \-- CONNECT b.example:443 ==TLS==> b.example's directory
//! ```
//!
//! A connection is made when something needs it and no sooner than the backoff after a failure allows. A token
//! belongs to the device, not to the connection, but is asked for on the connection it was signed for. When the
//! provider says that a token is no longer good, the request signs in and goes out once more; every other repetition
//! is the caller's matter, who repeats the same bytes.
//!
//! Names resolve through DNS unless the account fixes an address. Certificates are checked against the operating
//! system's authorities, because those follow what the machine's owner decided and are renewed without us, unless
//! the account names its own.

mod call;
mod connection;
mod directory;
mod download;
mod error;
mod events;
mod route;
mod session;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use sabir_mls::keys::SigningKey;
use sabir_wire::uri::{ClientUri, Domain};
use serde::{Deserialize, Serialize};

pub use call::{Answer, Call};
pub use directory::Identities;
pub use download::Download;
pub use error::{TransportError, Verdict};
pub use events::EventStream;
pub use route::route;
pub use tls::{AnchorError, read_anchors};

pub(crate) use connection::{Chain, backoff};

use connection::Slot;
use session::Session;

/// How a provider is reached, as the account remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The provider's domain, which its certificate must name.
    pub domain: String,
    /// An address in place of the one that DNS gives.
    pub connect: Option<SocketAddr>,
    /// Trusted authorities in DER, base64; empty for the operating system's.
    pub anchors: Vec<String>,
}

/// Bounds in time.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Resolving, connecting and the handshake.
    pub connect: Duration,
    /// A request, from its first byte to the last of its answer.
    pub request: Duration,
    /// Between probes of the connection, and for the answer to one.
    pub ping: Duration,
    /// Without any event, keepalives included, an event stream is taken for dead.
    pub silence: Duration,
    /// Wait after the first failed connection; it doubles up to [`Timing::longest_wait`].
    pub first_wait: Duration,
    /// Longest wait between connections.
    pub longest_wait: Duration,
    /// For how long the identity of a provider is sought before a room goes on without it.
    pub identity_patience: Duration,
    /// Between the arrival of a message and the report of it, so that one report covers many.
    pub report_delay: Duration,
    /// Between two reports on arrivals in the same room.
    pub report_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // Longer than a provider waits for another one, so that its word comes first.
            request: Duration::from_secs(45),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(150),
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            identity_patience: Duration::from_secs(60),
            report_delay: Duration::from_secs(1),
            report_pause: Duration::from_secs(5),
        }
    }
}

/// The connection to the own provider. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Transport(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    domain: Domain,
    connect: Option<SocketAddr>,
    timing: Timing,
    tls: Arc<ClientConfig>,
    slot: Slot,
    session: Session,
}

/// Who signs in.
#[derive(Debug, Clone)]
pub struct DeviceKey {
    /// The device.
    pub client: ClientUri,
    /// The key of its certificate.
    pub key: SigningKey,
}

impl Transport {
    /// A connection to be made when it is needed. Without a device only what needs no token can be asked.
    ///
    /// # Errors
    /// [`AnchorError`] where the trusted authorities cannot be read.
    pub fn new(reach: &Reach, device: Option<DeviceKey>, timing: Timing) -> Result<Self, AnchorError> {
        let domain = Domain::parse(&reach.domain).map_err(|_| AnchorError::Domain)?;
        let tls = tls::client_config(&reach.anchors)?;
        Ok(Self(Arc::new(Inner {
            domain,
            connect: reach.connect,
            timing,
            tls,
            slot: Slot::default(),
            session: Session::new(device),
        })))
    }

    /// The provider's domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.0.domain
    }
}
