use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sabir_wire::uri::Domain;
use webpki::EndEntityCert;

use super::TlsError;

/// Our certificate chain and its key. Both sides of the server present it, and a renewed one takes its place
/// while they run. Clones share it.
#[derive(Debug, Clone)]
pub struct TlsIdentity {
    current: Arc<RwLock<Arc<CertifiedKey>>>,
}

impl TlsIdentity {
    /// Takes a chain, leaf first, and the leaf's key.
    ///
    /// # Errors
    /// [`TlsError::NotOurDomain`] when the leaf does not name `domain`: peers would refuse every connection.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        domain: &Domain,
    ) -> Result<Self, TlsError> {
        let current = Arc::new(RwLock::new(certified(chain, key, domain)?));
        Ok(Self { current })
    }

    /// Reads chain and key from PEM files.
    ///
    /// # Errors
    /// [`TlsError::Pem`] naming the file, or as [`Self::new`].
    pub fn load(certificate: &Path, key: &Path, domain: &Domain) -> Result<Self, TlsError> {
        let (chain, key) = read(certificate, key)?;
        Self::new(chain, key, domain)
    }

    /// Reads the files again; new connections use what they hold. On an error the old certificate stays.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn reload(&self, certificate: &Path, key: &Path, domain: &Domain) -> Result<(), TlsError> {
        let (chain, key) = read(certificate, key)?;
        let renewed = certified(chain, key, domain)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for TlsIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl ResolvesClientCert for TlsIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn read(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let refuse = |path: &Path, e: rustls::pki_types::pem::Error| TlsError::Pem {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| refuse(certificate, e))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| refuse(key, e))?;
    Ok((chain, private))
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    domain: &Domain,
) -> Result<Arc<CertifiedKey>, TlsError> {
    if !chain
        .first()
        .is_some_and(|leaf| dns_domains(leaf).contains(domain))
    {
        return Err(TlsError::NotOurDomain(domain.clone()));
    }
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &super::provider())?))
}

/// The domains a certificate names in full. Wildcards name no provider and are left out.
#[must_use]
pub fn dns_domains(certificate: &CertificateDer<'_>) -> Vec<Domain> {
    let Ok(cert) = EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let names = cert
        .valid_dns_names()
        .filter_map(|name| Domain::parse(&name.to_ascii_lowercase()).ok());
    // The library wants its own matching to have the last word on names.
    let matches = |domain: &Domain| {
        ServerName::try_from(domain.as_str())
            .is_ok_and(|name| cert.verify_is_valid_for_subject_name(&name).is_ok())
    };
    let mut domains: Vec<Domain> = names.filter(matches).collect();
    domains.sort();
    domains.dedup();
    domains
}
