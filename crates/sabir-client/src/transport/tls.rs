//! TLS 1.3 and whom it trusts.

use std::sync::Arc;

use data_encoding::BASE64;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Label and length of what binds a sign-in to its connection are those of [`sabir_wire::client_api`].
pub(super) const EXPORTER_LEN: usize = 32;
pub(super) const ALPN_H2: &[u8] = b"h2";
/// Most authorities one account may name.
const MAX_ANCHORS: usize = 64;

/// Why it is not known whom to trust.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// The file is not PEM with certificates in it.
    #[error("the file of trusted authorities has no certificate that can be used")]
    File,
    /// More certificates than an account may name.
    #[error("the file of trusted authorities has too many certificates")]
    TooMany,
    /// The operating system names none.
    #[error("the operating system has no trusted authorities")]
    NoSystemAnchors,
    /// The account's domain is no domain.
    #[error("the account's domain is malformed")]
    Domain,
    /// The TLS library refused.
    #[error("tls cannot be set up")]
    Library,
}

/// Reads the certificates of a PEM file, for [`super::Reach::anchors`].
///
/// # Errors
/// [`AnchorError::File`], [`AnchorError::TooMany`].
pub fn read_anchors(pem: &[u8]) -> Result<Vec<String>, AnchorError> {
    let mut anchors = Vec::new();
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| AnchorError::File)?;
        anchors.push(BASE64.encode(&certificate));
        store.add(certificate).map_err(|_| AnchorError::File)?;
        if anchors.len() > MAX_ANCHORS {
            return Err(AnchorError::TooMany);
        }
    }
    if anchors.is_empty() {
        Err(AnchorError::File)
    } else {
        Ok(anchors)
    }
}

pub(super) fn client_config(anchors: &[String]) -> Result<Arc<ClientConfig>, AnchorError> {
    let mut roots = RootCertStore::empty();
    if anchors.is_empty() {
        // Some certificates of a system's store are often unusable; what counts is that any is there.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(AnchorError::NoSystemAnchors);
        }
    }
    for anchor in anchors {
        let der = BASE64.decode(anchor.as_bytes()).map_err(|_| AnchorError::File)?;
        roots
            .add(CertificateDer::from(der))
            .map_err(|_| AnchorError::File)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| AnchorError::Library)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    // Every connection proves the provider afresh, and gives keying material of its own.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
