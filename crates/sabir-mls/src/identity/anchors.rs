//! Which identity CAs are trusted for which domain.

use std::collections::{BTreeMap, BTreeSet};

use sabir_wire::uri::Domain;

use super::Freshness;
use super::certificate::Certificate;
use super::error::{CredentialError, Role};

/// How many CAs a domain may have at once: the current one, its successor and a few that users' certificates
/// still chain to.
pub const MAX_CAS_PER_DOMAIN: usize = 8;

/// A provider's identity CA certificate, its shape and self-signature checked. Trusted only once it is in
/// [`TrustAnchors`].
#[derive(Debug, Clone)]
pub struct CaCertificate {
    certificate: Certificate,
    domain: Domain,
}

impl CaCertificate {
    /// Reads a self-signed CA certificate in DER.
    ///
    /// # Errors
    /// [`CredentialError`] with [`Role::Provider`].
    pub fn parse(der: &[u8]) -> Result<Self, CredentialError> {
        let this = Self::parse_as(der, Role::Provider)?;
        this.certificate.check_issued_by(&this.certificate)?;
        Ok(this)
    }

    fn parse_as(der: &[u8], role: Role) -> Result<Self, CredentialError> {
        let certificate = Certificate::parse(der, role)?;
        // It issues user certificates, which issue device certificates.
        certificate.check_issuer(|path_length| path_length.is_none_or(|n| n >= 1))?;
        let domain =
            Domain::parse(certificate.dns_name()?).map_err(|_| CredentialError::NameInvalid(role))?;
        Ok(Self { certificate, domain })
    }

    /// The provider's domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The certificate's bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// SHA-256 of the certificate's bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.certificate.hash()
    }

    /// The CA's Ed25519 public key.
    #[must_use]
    pub fn key(&self) -> &[u8; 32] {
        &self.certificate.key
    }

    /// The last millisecond of its validity since the Unix epoch.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.certificate.not_after
    }

    pub(super) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Checks a rotation certificate: `old` vouches for this CA's domain and key. Gives it for its validity.
    pub(super) fn check_vouched_by(
        &self,
        old: &Self,
        rotation: &[u8],
    ) -> Result<Certificate, CredentialError> {
        let rotation = Self::parse_as(rotation, Role::Rotation)?;
        if rotation.domain != self.domain || old.domain != self.domain {
            return Err(CredentialError::AuthorityMismatch(Role::Rotation));
        }
        if rotation.key() != self.key() {
            return Err(CredentialError::RotationKeyMismatch);
        }
        rotation.certificate.check_issued_by(&old.certificate)?;
        Ok(rotation.certificate)
    }
}

/// The pinned identity CAs, by domain. A domain may have several while it rotates.
#[derive(Debug, Clone, Default)]
pub struct TrustAnchors {
    by_domain: BTreeMap<Domain, Vec<CaCertificate>>,
    /// Domains without a pinned CA, of which none could be had.
    without: BTreeSet<Domain>,
}

impl TrustAnchors {
    /// No anchors.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Pins `ca` for `domain`: on the first sight of a provider's directory, or on a person's decision. It trusts
    /// the caller; a successor that nobody decided on goes through [`Self::rotate`].
    ///
    /// # Errors
    /// [`CredentialError::AuthorityMismatch`] for another domain's CA, [`CredentialError::TooManyAuthorities`].
    pub fn pin(&mut self, domain: &Domain, ca: CaCertificate) -> Result<(), CredentialError> {
        if ca.domain != *domain {
            return Err(CredentialError::AuthorityMismatch(Role::Provider));
        }
        if self.get(domain).iter().any(|known| known.der() == ca.der()) {
            return Ok(());
        }
        if self.get(domain).len() >= MAX_CAS_PER_DOMAIN {
            return Err(CredentialError::TooManyAuthorities);
        }
        self.by_domain.entry(domain.clone()).or_default().push(ca);
        self.without.remove(domain);
        Ok(())
    }

    /// Gives up, for now, on the CA of a domain that has none here. Credentials of its people are
    /// [`CredentialError::NoAuthority`] from now on and not [`CredentialError::UnknownProvider`]: a defect to be told
    /// of, and nothing to wait for. [`Self::pin`] ends it.
    pub fn do_without(&mut self, domain: &Domain) {
        if self.get(domain).is_empty() {
            self.without.insert(domain.clone());
        }
    }

    /// The domains whose CA was sought in vain.
    pub fn done_without(&self) -> impl Iterator<Item = &Domain> {
        self.without.iter()
    }

    /// Accepts `next` beside the domain's present CAs because one of those vouches for it by the rotation certificate
    /// `rotation` (DER, made by [`super::ProviderCa::vouch_for`]).
    ///
    /// # Errors
    /// [`CredentialError::UnknownProvider`] where nothing is pinned for the domain; the defect of the rotation
    /// certificate, as judged against the pinned CAs, where none of them made it.
    pub fn rotate(
        &mut self,
        next: CaCertificate,
        rotation: &[u8],
        freshness: Freshness,
    ) -> Result<(), CredentialError> {
        let mut outcome = Err(CredentialError::UnknownProvider);
        for old in self.get(&next.domain) {
            outcome = next.check_vouched_by(old, rotation).and_then(|rotation| {
                rotation.check_fresh(freshness)?;
                old.certificate.check_fresh(freshness)
            });
            if outcome.is_ok() {
                break;
            }
        }
        outcome?;
        next.certificate.check_fresh(freshness)?;
        let domain = next.domain.clone();
        self.pin(&domain, next)
    }

    /// Stops trusting one CA of a domain, named by the hash of its certificate. Says whether it was there.
    pub fn remove(&mut self, domain: &Domain, hash: &[u8; 32]) -> bool {
        let Some(cas) = self.by_domain.get_mut(domain) else {
            return false;
        };
        let before = cas.len();
        cas.retain(|ca| ca.hash() != *hash);
        let removed = cas.len() < before;
        if cas.is_empty() {
            self.by_domain.remove(domain);
        }
        removed
    }

    /// The domain's CAs, oldest pin first; none for an unknown domain.
    #[must_use]
    pub fn get(&self, domain: &Domain) -> &[CaCertificate] {
        self.by_domain.get(domain).map_or(&[], Vec::as_slice)
    }

    /// Every pinned CA, by domain.
    pub fn iter(&self) -> impl Iterator<Item = &CaCertificate> {
        self.by_domain.values().flatten()
    }

    /// The pinned CA that issued `certificate`, by name and by what `signed_by` says of its signature.
    pub(super) fn issuer_of(
        &self,
        domain: &Domain,
        certificate: &Certificate,
        mut signed_by: impl FnMut(&CaCertificate) -> bool,
    ) -> Result<&CaCertificate, CredentialError> {
        let cas = self.get(domain);
        if cas.is_empty() {
            return Err(if self.without.contains(domain) {
                CredentialError::NoAuthority
            } else {
                CredentialError::UnknownProvider
            });
        }
        let mut defect = CredentialError::IssuerName(certificate.role);
        for ca in cas {
            if certificate.issuer != ca.certificate.subject {
                continue;
            }
            if signed_by(ca) {
                return Ok(ca);
            }
            defect = CredentialError::BadSignature(certificate.role);
        }
        Err(defect)
    }
}
