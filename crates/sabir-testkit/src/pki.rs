use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

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
        self.issue_to(&[domain], folder)
    }

    /// As [`Authority::issue`], for a certificate of several names.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn issue_to(&self, names: &[&str], folder: &Path) -> Result<(PathBuf, PathBuf), TownError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        // Some of today's servers count the time to the end of a certificate, and not up to the year 4096.
        params.not_after = date_time_ymd(this_year().saturating_add(2), 1, 1);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let paths = (folder.join("cert.pem"), folder.join("key.pem"));
        write(&paths.0, &certificate.pem())?;
        write(&paths.1, &key.serialize_pem())?;
        Ok(paths)
    }
}

/// The year by the clock, near enough for a certificate.
fn this_year() -> i32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let years = since.as_secs().checked_div(31_556_952).unwrap_or_default();
    i32::try_from(years).unwrap_or_default().saturating_add(1970)
}

fn write(path: &Path, text: &str) -> Result<(), TownError> {
    std::fs::write(path, text).map_err(TownError::io(format!("writing {}", path.display())))
}
