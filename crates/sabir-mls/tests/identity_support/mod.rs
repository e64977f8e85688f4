//! A small world of providers and persons, and a workshop for certificates that no honest issuer makes.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use openmls_traits::types::SignatureScheme;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, Issuer, KeyUsagePurpose, PublicKeyData,
    SanType, SerialNumber,
};
use sabir_mls::identity::{
    ClientCredential, CredentialError, Freshness, IdentityKey, Period, ProviderCa, TrustAnchors,
    VerifiedClient,
};
use sabir_mls::keys::SigningKey;
use sabir_wire::uri::{ClientUri, Domain, UserUri};

/// 2026-11-21T12:00:00Z.
pub const NOW: u64 = 1_795_262_400_000;
pub const DAY: u64 = 86_400_000;
pub const YEAR: Period = Period {
    now: NOW,
    lifetime: 365 * DAY,
};
pub const COMMITMENT: [u8; 32] = [7; 32];
/// The recovery commitment's extension, as documented.
pub const COMMITMENT_OID: &[u64] = &[2, 25, 4_310_528_659_715_697_441, 1];

pub const ALICE: &str = "mimi://a.example/u/alice";
pub const ALICE_PHONE: &str = "mimi://a.example/d/9zCkq1XwT0m3vYbRrUo2Hg";

pub fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub fn user(text: &str) -> UserUri {
    UserUri::parse(text).unwrap()
}

pub fn client(text: &str) -> ClientUri {
    ClientUri::parse(text).unwrap()
}

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// An Ed25519 key that signs anything.
pub struct Key {
    key: SigningKey,
    pub public: [u8; 32],
}

impl Key {
    pub fn new(rng: &mut ChaCha20Rng) -> Self {
        let key = SigningKey::generate(rng, SignatureScheme::ED25519).unwrap();
        let public = key.public().try_into().unwrap();
        Self { key, public }
    }

    /// The same key, for whatever else signs.
    pub fn signing_key(&self) -> SigningKey {
        self.key.clone()
    }

    /// The same key as an honest person's.
    pub fn identity(&self) -> IdentityKey {
        IdentityKey::new(self.key.clone()).unwrap()
    }

    /// The same key as an honest provider's, with its certificate.
    pub fn provider(&self, certificate: &[u8]) -> ProviderCa {
        ProviderCa::from_parts(self.key.clone(), certificate).unwrap()
    }

    pub fn sign_raw(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).unwrap()
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }
    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.sign_raw(message))
    }
}

/// Providers a.example and b.example, pinned; Alice at a with a phone.
pub struct World {
    pub rng: ChaCha20Rng,
    pub anchors: TrustAnchors,
    pub ca_key: Key,
    pub ca: ProviderCa,
    pub ca_b: ProviderCa,
    pub alice: Key,
    pub phone: Key,
    pub user_der: Vec<u8>,
    pub device_der: Vec<u8>,
}

impl World {
    pub fn new() -> Self {
        let mut rng = rng(1);
        let ca_key = Key::new(&mut rng);
        let ca_der = self_signed(&provider_params("a.example"), &ca_key);
        let ca = ca_key.provider(&ca_der);
        let ca_b = ProviderCa::generate(&domain("b.example"), NOW, &mut rng).unwrap();
        let mut anchors = TrustAnchors::new();
        anchors.pin(&domain("a.example"), ca.to_anchor()).unwrap();
        anchors.pin(&domain("b.example"), ca_b.to_anchor()).unwrap();
        let alice = Key::new(&mut rng);
        let phone = Key::new(&mut rng);
        let user_der = ca
            .issue_user(&user(ALICE), &alice.public, COMMITMENT, YEAR, &mut rng)
            .unwrap();
        let device_der = alice
            .identity()
            .issue_device(&user_der, &client(ALICE_PHONE), &phone.public, YEAR, &mut rng)
            .unwrap();
        Self {
            rng,
            anchors,
            ca_key,
            ca,
            ca_b,
            alice,
            phone,
            user_der,
            device_der,
        }
    }

    /// Alice's phone's credential, as it is in a leaf.
    pub fn credential(&self) -> Vec<u8> {
        chain(&[&self.device_der, &self.user_der])
    }

    /// Judges a credential for a leaf with the phone's key, now.
    pub fn judge(&self, credential: &[u8]) -> Result<VerifiedClient, CredentialError> {
        self.judge_at(credential, Freshness::At(NOW))
    }

    pub fn judge_at(
        &self,
        credential: &[u8],
        freshness: Freshness,
    ) -> Result<VerifiedClient, CredentialError> {
        ClientCredential::parse(credential)?.verify(&self.anchors, freshness, &self.phone.public)
    }

    /// Judges `device`, forged, over Alice's good user certificate.
    pub fn judge_device(&self, device: &[u8]) -> Result<VerifiedClient, CredentialError> {
        self.judge(&chain(&[device, &self.user_der]))
    }

    /// Judges `user`, forged, under Alice's good device certificate.
    pub fn judge_user(&self, user: &[u8]) -> Result<VerifiedClient, CredentialError> {
        self.judge(&chain(&[&self.device_der, user]))
    }

    /// A device certificate that Alice's key signs, whatever it says.
    pub fn forge_device(&self, params: &CertificateParams) -> Vec<u8> {
        signed(params, &self.phone, "user", &self.alice)
    }

    /// A user certificate that a.example's CA signs, whatever it says.
    pub fn forge_user(&self, params: &CertificateParams) -> Vec<u8> {
        signed(params, &self.alice, "ca", &self.ca_key)
    }
}

/// Certificates as an MLS credential of type x509 holds them.
pub fn chain(certificates: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for certificate in certificates {
        sabir_wire::codec::put_opaque(&mut out, certificate);
    }
    out
}

pub fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(
        DnType::CommonName,
        rcgen::DnValue::PrintableString(common_name.try_into().unwrap()),
    );
    name
}

pub fn basic_constraints(content: &[u8]) -> CustomExtension {
    extension(&[2, 5, 29, 19], true, content)
}

pub fn extension(oid: &[u64], critical: bool, content: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
    extension.set_criticality(critical);
    extension
}

pub fn commitment(digest: &[u8]) -> CustomExtension {
    let len = u8::try_from(digest.len()).unwrap();
    extension(COMMITMENT_OID, false, &[&[0x04, len], digest].concat())
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2028, 1, 1);
    params.serial_number = Some(SerialNumber::from(0x4001_0203_0405_0607_u64));
    params.distinguished_name = DistinguishedName::new();
    params
}

/// What a good CA certificate says.
pub fn provider_params(domain: &str) -> CertificateParams {
    let mut params = params();
    params.distinguished_name = name("ca");
    params.subject_alt_names = vec![SanType::DnsName(domain.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.custom_extensions = vec![basic_constraints(&[0x30, 0x06, 1, 1, 0xff, 2, 1, 1])];
    params
}

/// What a good user certificate says.
pub fn user_params(user: &str) -> CertificateParams {
    let mut params = params();
    params.distinguished_name = name("user");
    params.subject_alt_names = vec![uri(user)];
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.custom_extensions = vec![
        basic_constraints(&[0x30, 0x06, 1, 1, 0xff, 2, 1, 0]),
        commitment(&COMMITMENT),
    ];
    params
}

/// What a good device certificate says.
pub fn device_params(client: &str, user: &str) -> CertificateParams {
    let mut params = params();
    params.subject_alt_names = vec![uri(client), uri(user)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

/// What a good server certificate says.
pub fn server_params(provider: &str) -> CertificateParams {
    let mut params = params();
    params.subject_alt_names = vec![uri(provider)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

pub fn signed(
    params: &CertificateParams,
    subject: &impl PublicKeyData,
    issuer_name: &str,
    issuer: &impl rcgen::SigningKey,
) -> Vec<u8> {
    let mut issuer_params = CertificateParams::default();
    issuer_params.distinguished_name = name(issuer_name);
    params
        .signed_by(subject, &Issuer::from_params(&issuer_params, issuer))
        .unwrap()
        .der()
        .to_vec()
}

pub fn self_signed(params: &CertificateParams, key: &Key) -> Vec<u8> {
    params.self_signed(key).unwrap().der().to_vec()
}

/// Replaces `from` in the signed part, once, by as many bytes, and signs anew.
pub fn operate(der: &[u8], from: &[u8], to: &[u8], key: &Key) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = der.windows(from.len()).position(|w| w == from).unwrap();
    let mut der = der.to_vec();
    der[at..at + to.len()].copy_from_slice(to);
    let tbs = 4..der.len() - 74;
    let signature = key.sign_raw(&der[tbs]);
    let at = der.len() - 64;
    der[at..].copy_from_slice(&signature);
    der
}

/// Wraps a good certificate's signed part and signature again, with other bytes around them.
pub fn rewrap(der: &[u8], algorithm: &[u8], after: &[u8]) -> Vec<u8> {
    let tbs = &der[4..der.len() - 74];
    let bits = &der[der.len() - 67..];
    let content = [tbs, algorithm, bits, after].concat();
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82, len[0], len[1]], content.as_slice()].concat()
}
