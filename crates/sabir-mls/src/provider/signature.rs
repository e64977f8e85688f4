//! Signature keys on aws-lc-rs: Ed25519 and ECDSA on P-256, P-384, P-521.
//!
//! A private key is its shortest form: the 32-byte seed of Ed25519, the scalar of ECDSA in big-endian order. A public
//! key is the 32 bytes of Ed25519 or an uncompressed point, an ECDSA signature is DER (RFC 9420 §5.1.2).
//! Ed25519 signatures are a function of key and message; those of ECDSA carry the library's own randomness, so two
//! runs with one seed differ in them.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512, digest};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING, ED25519,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
};
use openmls_traits::types::{CryptoError, HpkeKemType, SignatureScheme};
use zeroize::Zeroizing;

use super::kem::{self, KemKeyPair};
use super::primitives::expand;

/// A key pair ready for signing.
pub(crate) enum KeyPair {
    Ed25519(Ed25519KeyPair),
    /// With the hash that the scheme signs.
    Ecdsa(EcdsaKeyPair, &'static digest::Algorithm),
}

impl KeyPair {
    /// Rebuilds a key pair from a private key.
    ///
    /// # Errors
    /// [`CryptoError::SigningError`] when `private` is no key of the scheme,
    /// [`CryptoError::UnsupportedSignatureScheme`] for a scheme this provider lacks.
    pub(crate) fn from_private(scheme: SignatureScheme, private: &[u8]) -> Result<Self, CryptoError> {
        let Some((curve, algorithm, hash)) = ecdsa(scheme)? else {
            // The library takes longer slices too and reads their beginning.
            if private.len() != 32 {
                return Err(CryptoError::SigningError);
            }
            return Ed25519KeyPair::from_seed_unchecked(private)
                .map(Self::Ed25519)
                .map_err(|_| CryptoError::SigningError);
        };
        let public = kem::public_of(curve, private).map_err(|_| CryptoError::SigningError)?;
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, private, &public)
            .map(|pair| Self::Ecdsa(pair, hash))
            .map_err(|_| CryptoError::SigningError)
    }

    pub(crate) fn public(&self) -> &[u8] {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::Ecdsa(pair, _) => pair.public_key().as_ref(),
        }
    }

    pub(crate) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let signature = match self {
            Self::Ed25519(pair) => pair.try_sign(data),
            Self::Ecdsa(pair, hash) => pair.sign_digest(&digest(hash, data)),
        };
        signature
            .map(|s| s.as_ref().to_vec())
            .map_err(|_| CryptoError::SigningError)
    }
}

/// A private and a public key that depend on `seed` alone.
pub(crate) fn derive_key_pair(scheme: SignatureScheme, seed: &[u8]) -> Result<KemKeyPair, CryptoError> {
    if let Some((curve, ..)) = ecdsa(scheme)? {
        // RFC 9180's derivation rejects out-of-range scalars, which is what a uniform ECDSA key needs as well.
        let ikm = expand(openmls_traits::types::HashType::Sha2_512, seed, &[b"ecdsa"], 72)?;
        return kem::derive_key_pair(curve, &ikm);
    }
    let private = expand(openmls_traits::types::HashType::Sha2_256, seed, &[b"ed25519"], 32)?;
    let public = KeyPair::from_private(scheme, &private)?.public().to_vec();
    Ok(KemKeyPair {
        private: Zeroizing::new(private.to_vec()),
        public,
    })
}

/// Checks `signature` over `data`.
///
/// # Errors
/// [`CryptoError::InvalidSignature`] when it does not verify or when key or signature are not in the form above.
pub(crate) fn verify(
    scheme: SignatureScheme,
    public: &[u8],
    data: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let (algorithm, well_formed): (&dyn signature::VerificationAlgorithm, bool) = match scheme {
        SignatureScheme::ED25519 => (&ED25519, public.len() == 32 && !says_little(public, signature)),
        SignatureScheme::ECDSA_SECP256R1_SHA256 => (&ECDSA_P256_SHA256_ASN1, is_point(public, 65)),
        SignatureScheme::ECDSA_SECP384R1_SHA384 => (&ECDSA_P384_SHA384_ASN1, is_point(public, 97)),
        SignatureScheme::ECDSA_SECP521R1_SHA512 => (&ECDSA_P521_SHA512_ASN1, is_point(public, 133)),
        _ => return Err(CryptoError::UnsupportedSignatureScheme),
    };
    if !well_formed {
        return Err(CryptoError::InvalidSignature);
    }
    UnparsedPublicKey::new(algorithm, public)
        .verify(data, signature)
        .map_err(|_| CryptoError::InvalidSignature)
}

/// The points of edwards25519 whose order divides 8, in every encoding, without the sign bit.
const SMALL_ORDER: [[u8; 32]; 7] = [
    edge(0x00, 0x00, 0x00),
    edge(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    edge(0xec, 0xff, 0x7f),
    edge(0xed, 0xff, 0x7f),
    edge(0xee, 0xff, 0x7f),
];

const fn edge(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut point = [middle; 32];
    point[0] = first;
    point[31] = last;
    point
}

/// Whether an Ed25519 key or a signature's `R` is of small order. Such a key signs everything with one signature.
/// RFC 8032 §5.1.7 leaves it open whether they are refused, and implementations differ; a group in which some members
/// take a commit that others refuse is split, so the stricter reading is the safe one.
fn says_little(public: &[u8], signature: &[u8]) -> bool {
    let small = |point: &[u8]| {
        SMALL_ORDER.iter().any(|entry| {
            let pairs = entry.iter().zip(point).enumerate();
            point.len() == 32
                && pairs.fold(0, |differs, (at, (a, b))| {
                    differs | (a ^ if at == 31 { b & 0x7f } else { *b })
                }) == 0
        })
    };
    small(public) || signature.get(..32).is_some_and(small)
}

type EcdsaParameters = (
    HpkeKemType,
    &'static signature::EcdsaSigningAlgorithm,
    &'static digest::Algorithm,
);

/// The curve, algorithm and hash of an ECDSA scheme, `None` for Ed25519.
fn ecdsa(scheme: SignatureScheme) -> Result<Option<EcdsaParameters>, CryptoError> {
    match scheme {
        SignatureScheme::ED25519 => Ok(None),
        SignatureScheme::ECDSA_SECP256R1_SHA256 => Ok(Some((
            HpkeKemType::DhKemP256,
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &SHA256,
        ))),
        SignatureScheme::ECDSA_SECP384R1_SHA384 => Ok(Some((
            HpkeKemType::DhKemP384,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
            &SHA384,
        ))),
        SignatureScheme::ECDSA_SECP521R1_SHA512 => Ok(Some((
            HpkeKemType::DhKemP521,
            &ECDSA_P521_SHA512_ASN1_SIGNING,
            &SHA512,
        ))),
        _ => Err(CryptoError::UnsupportedSignatureScheme),
    }
}

fn is_point(public: &[u8], len: usize) -> bool {
    public.len() == len && public.first() == Some(&4)
}
