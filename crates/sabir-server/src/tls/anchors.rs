use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::TlsError;
use crate::config::Trust;

/// Loads the authorities that may vouch for other providers.
///
/// # Errors
/// When there are none, or the file has an entry that is no certificate. An entry of the *system's* store that
/// cannot be read is skipped: it is not ours to repair, and skipping it trusts less, not more.
pub fn load_anchors(trust: &Trust) -> Result<Arc<RootCertStore>, TlsError> {
    let store = match trust {
        Trust::WebPki => system()?,
        Trust::File(path) => file(path)?,
    };
    Ok(Arc::new(store))
}

fn system() -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        Err(TlsError::NoSystemAnchors)
    } else {
        Ok(store)
    }
}

fn file(path: &Path) -> Result<RootCertStore, TlsError> {
    let refuse = |reason: String| TlsError::Pem {
        path: path.to_owned(),
        reason,
    };
    let mut store = RootCertStore::empty();
    for cert in CertificateDer::pem_file_iter(path).map_err(|e| refuse(e.to_string()))? {
        let cert = cert.map_err(|e| refuse(e.to_string()))?;
        store.add(cert).map_err(|e| refuse(e.to_string()))?;
    }
    if store.is_empty() {
        Err(refuse("it holds no certificate".to_owned()))
    } else {
        Ok(store)
    }
}
