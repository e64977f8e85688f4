use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sabir_wire::uri::Domain;
use webpki::EndEntityCert;

use super::TlsError;

/// Our certificate chain and its key.
pub struct TlsIdentity {
    /// Leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
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
        let named = chain
            .first()
            .is_some_and(|leaf| dns_domains(leaf).contains(domain));
        if named {
            Ok(Self { chain, key })
        } else {
            Err(TlsError::NotOurDomain(domain.clone()))
        }
    }

    /// Reads chain and key from PEM files.
    ///
    /// # Errors
    /// [`TlsError::Pem`] naming the file, or as [`Self::new`].
    pub fn load(certificate: &Path, key: &Path, domain: &Domain) -> Result<Self, TlsError> {
        let refuse = |path: &Path, e: rustls::pki_types::pem::Error| TlsError::Pem {
            path: path.to_owned(),
            reason: e.to_string(),
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|e| refuse(certificate, e))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|e| refuse(key, e))?;
        Self::new(chain, private, domain)
    }
}

impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
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
