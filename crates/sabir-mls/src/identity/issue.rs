//! Issuing: the provider's CA and the person's identity key.
//!
//! Certificates are as small as the profile allows, since every leaf of every tree carries two: a short
//! distinguished name chains issuer and subject, everything that means something is in the subject
//! alternative name, and there are no key identifiers. Whatever is issued is first read back and checked
//! by the rules that everybody else applies to it.

use std::time::Duration;

use openmls_traits::types::SignatureScheme;
use rand_core::CryptoRng;
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, Issuer, KeyUsagePurpose,
    PublicKeyData, SanType, SerialNumber,
};
use sabir_wire::codec::Encode;
use sabir_wire::recovery::RecoveryProof;
use sabir_wire::uri::{ClientUri, Domain, ProviderUri, UserUri};

use super::anchors::CaCertificate;
use super::certificate::{RECOVERY_COMMITMENT, RECOVERY_PROOF};
use super::credential::{DeviceCertificate, UserCertificate};
use super::error::{CredentialError, IssueError, Role};
use super::key::{CertificateKey, SubjectKey};
use super::server::ServerCertificate;
use crate::keys::SigningKey;

/// How long a provider's identity CA is valid: ten years, in milliseconds.
pub const CA_LIFETIME_MS: u64 = 10 * 365 * 24 * 3_600_000;

/// How far before its issue a certificate is valid already: one hour, in milliseconds, so that a verifier
/// whose clock runs behind can use it at once.
pub const BACKDATE_MS: u64 = 3_600_000;

/// The last second X.509 can express: 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

const PROVIDER_NAME: &str = "ca";
const USER_NAME: &str = "user";

/// When a certificate is issued and for how long, in milliseconds (since the Unix epoch).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The time of issue. The certificate is valid from [`BACKDATE_MS`] before it.
    pub now: u64,
    /// How long after `now` it stays valid; X.509 counts in whole seconds.
    pub lifetime: u64,
}

/// A provider's identity CA: the key that certifies the provider's users and its own server key.
pub struct ProviderCa {
    key: CertificateKey,
    certificate: CaCertificate,
}

impl std::fmt::Debug for ProviderCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderCa")
            .field("domain", self.domain())
            .finish_non_exhaustive()
    }
}

impl ProviderCa {
    /// Makes a new CA for `domain`, valid for [`CA_LIFETIME_MS`].
    ///
    /// # Errors
    /// [`IssueError::Time`], and [`IssueError::Encoder`] for our bugs.
    pub fn generate(domain: &Domain, now: u64, rng: &mut dyn CryptoRng) -> Result<Self, IssueError> {
        let key = generate_key(rng)?;
        let period = Period {
            now,
            lifetime: CA_LIFETIME_MS,
        };
        let params = ca_params(domain, period, rng)?;
        let der = params.self_signed(&key)?;
        let certificate = CaCertificate::parse(der.der())?;
        Ok(Self { key, certificate })
    }

    /// Puts a CA together from its stored parts.
    ///
    /// # Errors
    /// [`IssueError::Key`] where the key is not Ed25519 or not the certificate's; [`IssueError::Refused`].
    pub fn from_parts(key: SigningKey, certificate: &[u8]) -> Result<Self, IssueError> {
        let key = CertificateKey::new(key)?;
        let certificate = CaCertificate::parse(certificate)?;
        if certificate.key() != key.public() {
            return Err(IssueError::Key);
        }
        Ok(Self { key, certificate })
    }

    /// The CA's key, for storage.
    #[must_use]
    pub fn signing_key(&self) -> &SigningKey {
        self.key.signing_key()
    }

    /// The self-signed certificate in DER, as the provider publishes it.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The self-signed certificate, ready to be pinned.
    #[must_use]
    pub fn to_anchor(&self) -> CaCertificate {
        self.certificate.clone()
    }

    /// The provider's domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        self.certificate.domain()
    }

    /// Issues a person's certificate for their Ed25519 identity key, with the hash of the recovery key that
    /// may replace it.
    ///
    /// # Errors
    /// [`IssueError::Refused`] with an authority mismatch for a user of another provider; [`IssueError::Key`] for a
    /// key that is not 32 bytes; [`IssueError::Time`].
    pub fn issue_user(
        &self,
        user: &UserUri,
        identity_key: &[u8],
        recovery_commitment: [u8; 32],
        period: Period,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, IssueError> {
        self.issue_person(user, identity_key, recovery_commitment, None, period, rng)
    }

    /// As [`Self::issue_user`], for an identity key that takes the place of another, with the proof that the person wants
    /// that. Whether it is the key that this person had is not checked here.
    ///
    /// # Errors
    /// As [`Self::issue_user`]; [`IssueError::Refused`] where the proof does not hold.
    pub fn issue_recovered_user(
        &self,
        user: &UserUri,
        identity_key: &[u8],
        recovery_commitment: [u8; 32],
        proof: &RecoveryProof,
        period: Period,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, IssueError> {
        self.issue_person(user, identity_key, recovery_commitment, Some(proof), period, rng)
    }

    fn issue_person(
        &self,
        user: &UserUri,
        identity_key: &[u8],
        recovery_commitment: [u8; 32],
        proof: Option<&RecoveryProof>,
        period: Period,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, IssueError> {
        if user.authority() != self.domain() {
            return Err(CredentialError::AuthorityMismatch(Role::User).into());
        }
        let mut params = params(period, rng)?;
        params.distinguished_name = name(USER_NAME)?;
        params.subject_alt_names = vec![uri(user.as_str())?];
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let commitment = [&[0x04, 0x20], recovery_commitment.as_slice()].concat();
        params.custom_extensions = vec![
            issuer_constraint(0),
            CustomExtension::from_oid_content(RECOVERY_COMMITMENT, commitment),
        ];
        if let Some(proof) = proof {
            let content = [&[0x04, 0x60], proof.to_bytes().as_slice()].concat();
            let extension = CustomExtension::from_oid_content(RECOVERY_PROOF, content);
            params.custom_extensions.push(extension);
        }
        let der = self.sign(&params, identity_key)?;
        let issued = UserCertificate::parse(&der)?;
        issued.check_issued_by(&self.certificate)?;
        issued.check_recovery()?;
        Ok(der)
    }

    /// Issues the certificate of the provider's own Ed25519 signing key, for `external_senders` and
    /// `franking_agent`.
    ///
    /// # Errors
    /// As [`Self::issue_user`].
    pub fn issue_server(
        &self,
        server_key: &[u8],
        period: Period,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, IssueError> {
        let mut params = params(period, rng)?;
        params.subject_alt_names = vec![uri(ProviderUri::from(self.domain()).as_str())?];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let der = self.sign(&params, server_key)?;
        ServerCertificate::parse(&der)?.check_issued_by(&self.certificate)?;
        Ok(der)
    }

    /// Vouches for the provider's next CA: a certificate over its key, signed by this one, with which
    /// [`super::TrustAnchors::rotate`] accepts it.
    ///
    /// # Errors
    /// As [`Self::issue_user`].
    pub fn vouch_for(
        &self,
        next: &CaCertificate,
        period: Period,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, IssueError> {
        if next.domain() != self.domain() {
            return Err(CredentialError::AuthorityMismatch(Role::Rotation).into());
        }
        let params = ca_params(self.domain(), period, rng)?;
        let der = self.sign(&params, next.key())?;
        next.check_vouched_by(&self.certificate, &der)?;
        Ok(der)
    }

    fn sign(&self, params: &CertificateParams, key: &[u8]) -> Result<Vec<u8>, IssueError> {
        sign(params, &SubjectKey::new(key)?, PROVIDER_NAME, &self.key)
    }
}

/// A person's Ed25519 identity key: it certifies the person's devices. It lives on the device that made the account or came
/// back with the recovery code, and nowhere else.
pub struct IdentityKey(CertificateKey);

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityKey").finish_non_exhaustive()
    }
}

impl IdentityKey {
    /// Draws a new identity key.
    ///
    /// # Errors
    /// [`IssueError::Key`] where the cryptographic library fails.
    pub fn generate(rng: &mut dyn CryptoRng) -> Result<Self, IssueError> {
        generate_key(rng).map(Self)
    }

    /// Takes a stored key.
    ///
    /// # Errors
    /// [`IssueError::Key`] where it is not Ed25519.
    pub fn new(key: SigningKey) -> Result<Self, IssueError> {
        CertificateKey::new(key).map(Self)
    }

    /// The key itself, for storage and for what else the person signs, such as the list of devices.
    #[must_use]
    pub fn signing_key(&self) -> &SigningKey {
        self.0.signing_key()
    }

    /// The public key, as it goes into the user certificate.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        self.0.public()
    }

    /// Issues the certificate of one of the person's devices: `device_key` is the Ed25519 signature key of its
    /// MLS leaves. The user is the one `user_certificate` names.
    ///
    /// # Errors
    /// [`IssueError::WrongIdentityKey`] where `user_certificate` is for another key; [`IssueError::Refused`] where
    /// it or the result would be refused, among them a client of another provider; [`IssueError::Key`] for a key
    /// that is not 32 bytes; [`IssueError::Time`].
    pub fn issue_device(
        &self,
        user_certificate: &[u8],
        client: &ClientUri,
        device_key: &[u8],
        period: Period,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, IssueError> {
        let issuer = UserCertificate::parse(user_certificate)?;
        if issuer.identity_key() != self.public() {
            return Err(IssueError::WrongIdentityKey);
        }
        let mut params = params(period, rng)?;
        params.subject_alt_names = vec![uri(client.as_str())?, uri(issuer.user().as_str())?];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let der = sign(&params, &SubjectKey::new(device_key)?, USER_NAME, &self.0)?;
        DeviceCertificate::parse(&der)?.check_issued_by(&issuer)?;
        Ok(der)
    }
}

fn generate_key(rng: &mut dyn CryptoRng) -> Result<CertificateKey, IssueError> {
    let key = SigningKey::generate(rng, SignatureScheme::ED25519).map_err(|_| IssueError::Key)?;
    CertificateKey::new(key)
}

/// What every certificate has: serial number and validity; an empty subject and nothing else.
fn params(period: Period, rng: &mut dyn CryptoRng) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    let end = period.now.checked_add(period.lifetime).ok_or(IssueError::Time)?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(period.now.saturating_sub(BACKDATE_MS))?;
    params.not_after = epoch + since_epoch(end)?;
    params.serial_number = Some(serial_number(rng));
    params.distinguished_name = DistinguishedName::new();
    Ok(params)
}

fn ca_params(
    domain: &Domain,
    period: Period,
    rng: &mut dyn CryptoRng,
) -> Result<CertificateParams, IssueError> {
    let mut params = params(period, rng)?;
    params.distinguished_name = name(PROVIDER_NAME)?;
    params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from(domain.as_str())?)];
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.custom_extensions = vec![issuer_constraint(1)];
    Ok(params)
}

fn sign(
    params: &CertificateParams,
    subject: &impl PublicKeyData,
    issuer_name: &str,
    issuer_key: &CertificateKey,
) -> Result<Vec<u8>, IssueError> {
    let mut issuer_params = CertificateParams::default();
    issuer_params.distinguished_name = name(issuer_name)?;
    let issuer = Issuer::from_params(&issuer_params, issuer_key);
    Ok(params.signed_by(subject, &issuer)?.der().to_vec())
}

/// 62 random bits, always positive and always eight bytes (RFC 5280 §4.1.2.2).
fn serial_number(rng: &mut dyn CryptoRng) -> SerialNumber {
    let random = rng.next_u64();
    SerialNumber::from((random & 0x7fff_ffff_ffff_ffff) | 0x4000_0000_0000_0000)
}

/// Basic constraints `cA` with a path length. The encoder would add a key identifier with its own, 31 bytes
/// for every leaf that carry no information here.
fn issuer_constraint(path_length: u8) -> CustomExtension {
    let content = vec![0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, path_length];
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 19], content);
    extension.set_criticality(true);
    extension
}

fn name(common_name: &str) -> Result<DistinguishedName, IssueError> {
    let mut name = DistinguishedName::new();
    let value = DnValue::PrintableString(PrintableString::try_from(common_name)?);
    name.push(DnType::CommonName, value);
    Ok(name)
}

fn uri(text: &str) -> Result<SanType, IssueError> {
    Ok(SanType::URI(Ia5String::try_from(text)?))
}

/// How long after the epoch the second of `millis` begins.
fn since_epoch(millis: u64) -> Result<Duration, IssueError> {
    let seconds = millis.div_euclid(1000);
    if seconds > LAST_SECOND {
        Err(IssueError::Time)
    } else {
        Ok(Duration::from_secs(seconds))
    }
}
