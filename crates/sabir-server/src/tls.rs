//! TLS 1.3 on both sides of the provider, HTTP/2 only.
//!
//! ```text
//! device ---- no certificate ------------> |
//! peer   ---- its server certificate ----> | one listener
//! ```
//!
//! A certificate is optional in the handshake, because devices have none, and verified whenever one is
//! presented: chain to an anchor, validity, and serverAuth or clientAuth as extended key usage, since public
//! authorities no longer issue the latter. Whoever holds a connection whose [`Peer::domains`] is not empty has
//! proved to be each of them. There is no resumption and no early data, so every connection proves it afresh.

mod anchors;
mod client_verifier;
mod identity;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sabir_wire::client_api::AUTH_EXPORTER_LABEL;
use sabir_wire::uri::Domain;

pub use anchors::load_anchors;
pub use client_verifier::PeerCertVerifier;
pub use identity::{TlsIdentity, dns_domains};

/// Length of [`Peer::exporter`].
pub const EXPORTER_LEN: usize = 32;

const ALPN_H2: &[u8] = b"h2";

/// Why TLS cannot be set up, or what is wrong with a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A PEM file cannot be read or has nothing usable in it.
    #[error("cannot use {path}: {reason}")]
    Pem {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system has no trusted authorities.
    #[error("the system has no certification authorities; set tls.trust to a PEM file")]
    NoSystemAnchors,
    /// Our certificate does not name our domain.
    #[error("the certificate in tls.certificate is not valid for {0}")]
    NotOurDomain(Domain),
    /// The other side did not agree on HTTP/2.
    #[error("the connection did not negotiate h2")]
    NoH2,
    /// The TLS library refused something.
    #[error("tls: {0}")]
    Rustls(#[from] rustls::Error),
}

/// What a finished handshake says about the other side.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The domains that its verified certificate names; empty when it presented none.
    pub domains: Vec<Domain>,
    /// Keying material that both ends of this connection, and nobody else, can compute: exported under
    /// [`AUTH_EXPORTER_LABEL`] with an empty context (RFC 8446 §7.5).
    pub exporter: [u8; EXPORTER_LEN],
}

impl Peer {
    /// Reads it from a connection whose handshake is complete.
    ///
    /// # Errors
    /// [`TlsError::NoH2`] for a connection without ALPN, or a library error.
    pub fn of(connection: &rustls::ServerConnection) -> Result<Self, TlsError> {
        if connection.alpn_protocol() != Some(ALPN_H2) {
            return Err(TlsError::NoH2);
        }
        let leaf = connection.peer_certificates().and_then(<[_]>::first);
        let domains = leaf.map(dns_domains).unwrap_or_default();
        let exporter = connection.export_keying_material([0; EXPORTER_LEN], AUTH_EXPORTER_LABEL, None)?;
        Ok(Self { domains, exporter })
    }
}

/// The configuration of the listener.
///
/// # Errors
/// When the library lacks TLS 1.3.
pub fn server_config(
    identity: &TlsIdentity,
    anchors: &Arc<RootCertStore>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let verifier = PeerCertVerifier::new(Arc::clone(anchors), &provider);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(identity.clone()));
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The configuration for connections to other providers; they see our certificate.
///
/// # Errors
/// When the library lacks TLS 1.3.
pub fn client_config(
    identity: &TlsIdentity,
    anchors: &Arc<RootCertStore>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(Arc::clone(anchors))
        .with_client_cert_resolver(Arc::new(identity.clone()));
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
