//! One certificate as this profile reads it: parsed, its shape checked, nothing trusted yet.
//!
//! The parser underneath is lenient in places (it skips bytes left over inside a SEQUENCE), so the outer
//! wrapping, which no signature covers, is rebuilt and compared: a certificate has exactly one encoding that
//! passes, and its hash names it.

use openmls_traits::types::SignatureScheme;
use sabir_wire::codec::Decode;
use sabir_wire::recovery::RecoveryProof;
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::extensions::{
    BasicConstraints, GeneralName, KeyUsage, SubjectAlternativeName, X509Extension,
};
use x509_parser::nom::Parser;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Version;

use super::Freshness;
use super::error::{CredentialError, Role};
use crate::keys;

/// The longest certificate accepted, in bytes: the fixed parts take some 330, and a device certificate's two
/// URIs at most 510 more.
pub const MAX_CERTIFICATE_LEN: usize = 1024;

/// `2.25.4310528659715697441.1`, the extension that carries a user certificate's commitment to its recovery key: an
/// OCTET STRING of 32 bytes. Arc 2.25 needs no registry (ITU-T X.667); the number under it was drawn at random.
pub(super) const RECOVERY_COMMITMENT: &[u64] = &[2, 25, 4_310_528_659_715_697_441, 1];

/// `2.25.4310528659715697441.2`, the extension that carries the [`RecoveryProof`] of a user certificate whose identity key
/// replaced another: an OCTET STRING of 96 bytes. Not critical, as the commitment: whoever remembers no other key of the
/// person needs none.
pub(super) const RECOVERY_PROOF: &[u64] = &[2, 25, 4_310_528_659_715_697_441, 2];

/// The content octets of [`RECOVERY_COMMITMENT`].
const RECOVERY_COMMITMENT_DER: &[u8] = &[0x69, 0xbb, 0xe9, 0x84, 0xdf, 0xa5, 0xa3, 0xfa, 0xd6, 0x21, 0x01];

/// The content octets of [`RECOVERY_PROOF`].
const RECOVERY_PROOF_DER: &[u8] = &[0x69, 0xbb, 0xe9, 0x84, 0xdf, 0xa5, 0xa3, 0xfa, 0xd6, 0x21, 0x02];

const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// `SEQUENCE { id-Ed25519 }` with parameters absent (RFC 8410 §3).
const ED25519_ALGORITHM: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
/// The content octets of id-Ed25519.
const ED25519_OID: &[u8] = &[0x2b, 0x65, 0x70];

/// A name from the subject alternative name extension, of the kinds this profile uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Uri(String),
    Dns(String),
}

/// The `keyUsage` bits of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) digital_signature: bool,
    pub(super) key_cert_sign: bool,
}

/// A parsed certificate. Every field but `signature` is covered by the signature.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) role: Role,
    der: Vec<u8>,
    tbs: std::ops::Range<usize>,
    signature: [u8; 64],
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    /// First millisecond of validity since the Unix epoch.
    pub(super) not_before: u64,
    /// Last millisecond of validity since the Unix epoch.
    pub(super) not_after: u64,
    pub(super) key: [u8; 32],
    pub(super) names: Vec<Name>,
    pub(super) constraints: Option<BasicConstraints>,
    pub(super) usage: Option<Usage>,
    pub(super) recovery_commitment: Option<[u8; 32]>,
    pub(super) recovery_proof: Option<RecoveryProof>,
}

impl Certificate {
    /// Reads one certificate that must fill `der` exactly.
    pub(super) fn parse(der: &[u8], role: Role) -> Result<Self, CredentialError> {
        if der.len() > MAX_CERTIFICATE_LEN {
            return Err(CredentialError::Oversized);
        }
        let malformed = CredentialError::Malformed(role);
        let (rest, x509) = X509CertificateParser::new()
            .with_deep_parse_extensions(false)
            .parse(der)
            .map_err(|_| CredentialError::Malformed(role))?;
        if !rest.is_empty() {
            return Err(CredentialError::TrailingData(role));
        }
        if x509.version() != X509Version::V3 {
            return Err(CredentialError::Version(role));
        }
        if x509.issuer_uid.is_some() || x509.subject_uid.is_some() {
            return Err(malformed);
        }
        let signature = signature(&x509, role)?;
        let tbs = canonical_tbs(der, &x509, &signature).ok_or(CredentialError::TrailingData(role))?;
        let key = ed25519_key(&x509, role)?;
        let (not_before, not_after) = validity(&x509, role)?;
        let mut certificate = Self {
            role,
            der: der.to_vec(),
            tbs,
            signature,
            issuer: x509.issuer().as_raw().to_vec(),
            subject: x509.subject().as_raw().to_vec(),
            not_before,
            not_after,
            key,
            names: Vec::new(),
            constraints: None,
            usage: None,
            recovery_commitment: None,
            recovery_proof: None,
        };
        let mut seen: Vec<&[u8]> = Vec::new();
        for extension in x509.extensions() {
            if seen.contains(&extension.oid.as_bytes()) {
                return Err(CredentialError::DuplicateExtension(role));
            }
            seen.push(extension.oid.as_bytes());
            certificate.take_extension(extension)?;
        }
        Ok(certificate)
    }

    /// The certificate's bytes.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the certificate's bytes.
    pub(super) fn hash(&self) -> [u8; 32] {
        keys::sha256(&self.der)
    }

    /// Checks the issuer's name and signature.
    pub(super) fn check_issued_by(&self, issuer: &Self) -> Result<(), CredentialError> {
        if self.issuer != issuer.subject {
            return Err(CredentialError::IssuerName(self.role));
        }
        self.check_signature(&issuer.key)
    }

    /// Checks the signature under `key`.
    pub(super) fn check_signature(&self, key: &[u8; 32]) -> Result<(), CredentialError> {
        let bad = CredentialError::BadSignature(self.role);
        let Some(tbs) = self.der.get(self.tbs.clone()) else {
            return Err(bad);
        };
        keys::verify(SignatureScheme::ED25519, key, tbs, &self.signature).map_err(|_| bad)
    }

    /// Checks that the certificate is valid at the judged time, where one is judged (RFC 5280 §4.1.2.5: both
    /// ends belong to the period).
    pub(super) fn check_fresh(&self, freshness: Freshness) -> Result<(), CredentialError> {
        match freshness {
            Freshness::At(now) if now < self.not_before => Err(CredentialError::NotYetValid(self.role)),
            Freshness::At(now) if now > self.not_after => Err(CredentialError::Expired(self.role)),
            Freshness::At(_) | Freshness::Ignored => Ok(()),
        }
    }

    /// Checks `cA`, path length and key usage of a certificate that issues others.
    pub(super) fn check_issuer(&self, path_length: fn(Option<u32>) -> bool) -> Result<(), CredentialError> {
        let constraints = self.constraints.as_ref().filter(|c| c.ca);
        let constraints = constraints.ok_or(CredentialError::NotIssuer(self.role))?;
        if !path_length(constraints.path_len_constraint) {
            return Err(CredentialError::PathLength(self.role));
        }
        match self.usage {
            Some(Usage {
                key_cert_sign: true, ..
            }) => Ok(()),
            _ => Err(CredentialError::KeyUsage(self.role)),
        }
    }

    /// Checks that the certificate can issue nothing and may sign.
    pub(super) fn check_end_entity(&self) -> Result<(), CredentialError> {
        if let Some(constraints) = &self.constraints {
            if constraints.ca {
                return Err(CredentialError::IsIssuer(self.role));
            }
            if constraints.path_len_constraint.is_some() {
                return Err(CredentialError::PathLength(self.role));
            }
        }
        match self.usage {
            Some(Usage {
                digital_signature: true,
                key_cert_sign: false,
            }) => Ok(()),
            _ => Err(CredentialError::KeyUsage(self.role)),
        }
    }

    /// The certificate's names, which must be exactly `N` URIs.
    pub(super) fn uris<const N: usize>(&self) -> Result<[&str; N], CredentialError> {
        self.exact_names(|name| match name {
            Name::Uri(uri) => Some(uri),
            Name::Dns(_) => None,
        })
    }

    /// The certificate's one DNS name.
    pub(super) fn dns_name(&self) -> Result<&str, CredentialError> {
        let [name] = self.exact_names(|name| match name {
            Name::Dns(dns) => Some(dns),
            Name::Uri(_) => None,
        })?;
        Ok(name)
    }

    fn exact_names<const N: usize>(
        &self,
        pick: fn(&Name) -> Option<&String>,
    ) -> Result<[&str; N], CredentialError> {
        if self.names.len() < N {
            return Err(CredentialError::NameMissing(self.role));
        }
        if self.names.len() > N {
            return Err(CredentialError::NameExtra(self.role));
        }
        let names: Option<Vec<&str>> = self.names.iter().map(|n| pick(n).map(String::as_str)).collect();
        let names = names.ok_or(CredentialError::NameKind(self.role))?;
        names
            .try_into()
            .map_err(|_| CredentialError::NameMissing(self.role))
    }

    fn take_extension(&mut self, extension: &X509Extension<'_>) -> Result<(), CredentialError> {
        let role = self.role;
        let value = extension.value;
        match extension.oid.as_bytes() {
            SUBJECT_ALTERNATIVE_NAME => self.names = names(value, role)?,
            BASIC_CONSTRAINTS => self.constraints = Some(exact::<BasicConstraints>(value, role)?),
            KEY_USAGE => {
                let usage = exact::<KeyUsage>(value, role)?;
                self.usage = Some(Usage {
                    digital_signature: usage.digital_signature(),
                    key_cert_sign: usage.key_cert_sign(),
                });
            }
            RECOVERY_COMMITMENT_DER => {
                let digest = value.strip_prefix(&[0x04, 0x20]).and_then(|d| d.try_into().ok());
                self.recovery_commitment = Some(digest.ok_or(CredentialError::RecoveryCommitment)?);
            }
            RECOVERY_PROOF_DER => {
                let proof = value.strip_prefix(&[0x04, 0x60]);
                let proof = proof.and_then(|proof| RecoveryProof::from_bytes(proof).ok());
                self.recovery_proof = Some(proof.ok_or(CredentialError::RecoveryProof)?);
            }
            _ if extension.critical => return Err(CredentialError::UnknownCriticalExtension(role)),
            _ => {}
        }
        Ok(())
    }
}

/// The 64 bytes of an Ed25519 signature; both algorithm fields must say so.
fn signature(x509: &X509Certificate<'_>, role: Role) -> Result<[u8; 64], CredentialError> {
    let defect = CredentialError::SignatureAlgorithm(role);
    for algorithm in [&x509.signature_algorithm, &x509.signature] {
        if algorithm.algorithm.as_bytes() != ED25519_OID || algorithm.parameters.is_some() {
            return Err(defect);
        }
    }
    x509.signature_value.data.as_ref().try_into().map_err(|_| defect)
}

/// Where the signed part lies, if `der` is the one encoding of the parsed certificate.
fn canonical_tbs(
    der: &[u8],
    x509: &X509Certificate<'_>,
    signature: &[u8; 64],
) -> Option<std::ops::Range<usize>> {
    let tbs = x509.tbs_certificate.as_ref();
    // BIT STRING, 65 bytes, no unused bits.
    let end: Vec<u8> = [ED25519_ALGORITHM, &[0x03, 0x41, 0x00], signature].concat();
    let content = tbs.len().checked_add(end.len())?;
    let mut whole = sequence_header(content)?;
    let start = whole.len();
    whole.extend_from_slice(tbs);
    whole.extend_from_slice(&end);
    (whole == der).then_some(start..start.checked_add(tbs.len())?)
}

/// The DER header of a SEQUENCE with `len` bytes of content.
fn sequence_header(len: usize) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(len).ok()?.to_be_bytes();
    Some(match (high, low) {
        (0, 0..=0x7f) => vec![0x30, low],
        (0, _) => vec![0x30, 0x81, low],
        _ => vec![0x30, 0x82, high, low],
    })
}

/// The certified key, which must be Ed25519.
fn ed25519_key(x509: &X509Certificate<'_>, role: Role) -> Result<[u8; 32], CredentialError> {
    let defect = CredentialError::KeyAlgorithm(role);
    let spki = x509.public_key();
    if spki.algorithm.algorithm.as_bytes() != ED25519_OID || spki.algorithm.parameters.is_some() {
        return Err(defect);
    }
    spki.subject_public_key
        .data
        .as_ref()
        .try_into()
        .map_err(|_| defect)
}

/// The first and the last millisecond of validity.
fn validity(x509: &X509Certificate<'_>, role: Role) -> Result<(u64, u64), CredentialError> {
    let malformed = || CredentialError::Malformed(role);
    let millis = |seconds: i64| {
        let seconds = u64::try_from(seconds).map_err(|_| malformed())?;
        seconds.checked_mul(1000).ok_or_else(malformed)
    };
    let not_before = millis(x509.validity().not_before.timestamp())?;
    let not_after = millis(x509.validity().not_after.timestamp())?;
    if not_before > not_after {
        return Err(CredentialError::ValidityEmpty(role));
    }
    // Certificates count in seconds; the last one belongs to the period whole.
    Ok((not_before, not_after.saturating_add(999)))
}

fn names(value: &[u8], role: Role) -> Result<Vec<Name>, CredentialError> {
    let names = exact::<SubjectAlternativeName<'_>>(value, role)?;
    let names = names.general_names.iter().map(|name| match name {
        GeneralName::URI(uri) => Ok(Name::Uri((*uri).to_owned())),
        GeneralName::DNSName(dns) => Ok(Name::Dns((*dns).to_owned())),
        _ => Err(CredentialError::NameKind(role)),
    });
    names.collect()
}

/// An extension's content, which must fill `value` exactly.
fn exact<'a, T: FromDer<'a, x509_parser::error::X509Error>>(
    value: &'a [u8],
    role: Role,
) -> Result<T, CredentialError> {
    match T::from_der(value) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(CredentialError::Malformed(role)),
    }
}
