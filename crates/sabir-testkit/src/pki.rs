use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::TownError;

/// A private certificate authority for the TLS of a town.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
}

impl Authority {
    /// Makes one and writes its certificate to `ca.pem` in `folder`.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn create(folder: &Path) -> Result<Self, TownError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Sabir demonstration CA");
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        let certificate = folder.join("ca.pem");
        write(&certificate, &pem)?;
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    /// The authority's certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Issues a certificate for `domain` and writes chain and key to `folder`.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn issue(&self, domain: &str, folder: &Path) -> Result<(PathBuf, PathBuf), TownError> {
        let params = CertificateParams::new(vec![domain.to_owned()])?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let paths = (folder.join("cert.pem"), folder.join("key.pem"));
        write(&paths.0, &certificate.pem())?;
        write(&paths.1, &key.serialize_pem())?;
        Ok(paths)
    }
}

fn write(path: &Path, text: &str) -> Result<(), TownError> {
    std::fs::write(path, text).map_err(TownError::io(format!("writing {}", path.display())))
}
