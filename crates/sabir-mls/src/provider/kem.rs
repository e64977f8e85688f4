//! Key encapsulation for HPKE: DHKEM of RFC 9180 §4.1 over aws-lc-rs, and beside it the hybrid with ML-KEM
//! ([`hybrid`]).

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey, X25519};
use openmls_traits::types::{CryptoError, HashType, HpkeKemType};
use zeroize::Zeroizing;

use super::hybrid;
use super::labeled::Labeled;

/// A private key with its public key, both in the KEM's own encoding.
pub(crate) struct KemKeyPair {
    pub(crate) private: Zeroizing<Vec<u8>>,
    pub(crate) public: Vec<u8>,
}

/// What a sender gets: the shared secret and the encapsulated key to send along.
pub(crate) struct Encapsulated {
    pub(crate) shared_secret: Zeroizing<Vec<u8>>,
    pub(crate) enc: Vec<u8>,
}

/// `DeriveKeyPair(ikm)` of RFC 9180 §7.1.3.
pub(crate) fn derive_key_pair(kem: HpkeKemType, ikm: &[u8]) -> Result<KemKeyPair, CryptoError> {
    match Kem::of(kem)? {
        Kem::Dh(kem) => kem.derive_key_pair(ikm),
        Kem::Hybrid => hybrid::derive_key_pair(ikm),
    }
}

/// `Encap(pk_r)` of RFC 9180 §4.1, with the ephemeral key derived from `ikm_e` of [`ikm_len`] bytes.
pub(crate) fn encap(kem: HpkeKemType, pk_r: &[u8], ikm_e: &[u8]) -> Result<Encapsulated, CryptoError> {
    match Kem::of(kem)? {
        Kem::Dh(kem) => kem.encap(pk_r, ikm_e),
        Kem::Hybrid => hybrid::encap(pk_r, ikm_e),
    }
}

/// `Decap(enc, sk_r)` of RFC 9180 §4.1.
pub(crate) fn decap(kem: HpkeKemType, enc: &[u8], sk_r: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    match Kem::of(kem)? {
        Kem::Dh(kem) => kem.decap(enc, sk_r),
        Kem::Hybrid => hybrid::decap(enc, sk_r),
    }
}

/// Whether this provider has the KEM.
pub(crate) fn supports(kem: HpkeKemType) -> bool {
    Kem::of(kem).is_ok()
}

/// How many bytes of randomness a fresh key pair or an encapsulation wants.
pub(crate) fn ikm_len(kem: HpkeKemType) -> Result<usize, CryptoError> {
    Ok(match Kem::of(kem)? {
        Kem::Dh(kem) => kem.private_len,
        Kem::Hybrid => hybrid::SEED,
    })
}

/// The KEM's number in the registry of HPKE, by which it is named in key derivation. The MLS library counts the hybrid
/// by a number that was given up.
pub(crate) const fn number(kem: HpkeKemType) -> u16 {
    match kem {
        HpkeKemType::XWingKemDraft6 => hybrid::NUMBER,
        kem => kem as u16,
    }
}

/// The public key that belongs to `private`.
pub(crate) fn public_of(kem: HpkeKemType, private: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let kem = DhKem::of(kem)?;
    kem.public_key(&kem.private_key(private)?)
}

enum Kem {
    Dh(DhKem),
    Hybrid,
}

impl Kem {
    fn of(id: HpkeKemType) -> Result<Self, CryptoError> {
        match id {
            HpkeKemType::XWingKemDraft6 => Ok(Self::Hybrid),
            id => DhKem::of(id).map(Self::Dh),
        }
    }
}

/// The parameters of one row of the table in RFC 9180 §7.1.
pub(super) struct DhKem {
    id: HpkeKemType,
    hash: HashType,
    algorithm: &'static agreement::Algorithm,
    private_len: usize,
    public_len: usize,
    /// For the NIST curves: the mask for the first byte of a candidate scalar, RFC 9180 §7.1.3.
    candidate_mask: Option<u8>,
}

impl DhKem {
    pub(super) fn of(id: HpkeKemType) -> Result<Self, CryptoError> {
        let (hash, algorithm, private_len, public_len, candidate_mask) = match id {
            HpkeKemType::DhKem25519 => (HashType::Sha2_256, &X25519, 32, 32, None),
            HpkeKemType::DhKemP256 => (HashType::Sha2_256, &ECDH_P256, 32, 65, Some(0xff)),
            HpkeKemType::DhKemP384 => (HashType::Sha2_384, &ECDH_P384, 48, 97, Some(0xff)),
            HpkeKemType::DhKemP521 => (HashType::Sha2_512, &ECDH_P521, 66, 133, Some(0x01)),
            _ => return Err(CryptoError::UnsupportedCiphersuite),
        };
        Ok(Self {
            id,
            hash,
            algorithm,
            private_len,
            public_len,
            candidate_mask,
        })
    }

    fn encap(&self, pk_r: &[u8], ikm_e: &[u8]) -> Result<Encapsulated, CryptoError> {
        let ephemeral = self.derive_key_pair(ikm_e)?;
        let dh = self.agree(&self.private_key(&ephemeral.private)?, pk_r)?;
        let shared_secret = self.extract_and_expand(&dh, &[&ephemeral.public, pk_r])?;
        Ok(Encapsulated {
            shared_secret,
            enc: ephemeral.public,
        })
    }

    fn decap(&self, enc: &[u8], sk_r: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let sk_r = self.private_key(sk_r)?;
        let dh = self.agree(&sk_r, enc)?;
        self.extract_and_expand(&dh, &[enc, &self.public_key(&sk_r)?])
    }

    fn labeled(&self) -> Labeled {
        Labeled::for_kem(self.id, self.hash)
    }

    fn derive_key_pair(&self, ikm: &[u8]) -> Result<KemKeyPair, CryptoError> {
        let labeled = self.labeled();
        let prk = labeled.extract(&[], b"dkp_prk", ikm);
        let Some(mask) = self.candidate_mask else {
            let private = labeled.expand(&prk, b"sk", &[], self.private_len)?;
            let public = self.public_key(&self.private_key(&private)?)?;
            return Ok(KemKeyPair { private, public });
        };
        for counter in 0..=u8::MAX {
            let mut candidate = labeled.expand(&prk, b"candidate", &[&[counter]], self.private_len)?;
            if let Some(first) = candidate.first_mut() {
                *first &= mask;
            }
            // The library refuses zero and anything from the group order upwards.
            if let Ok(key) = self.private_key(&candidate) {
                let public = self.public_key(&key)?;
                return Ok(KemKeyPair {
                    private: candidate,
                    public,
                });
            }
        }
        Err(CryptoError::CryptoLibraryError)
    }

    pub(super) fn private_key(&self, bytes: &[u8]) -> Result<PrivateKey, CryptoError> {
        PrivateKey::from_private_key(self.algorithm, bytes).map_err(|_| CryptoError::InvalidLength)
    }

    pub(super) fn public_key(&self, key: &PrivateKey) -> Result<Vec<u8>, CryptoError> {
        let public = key
            .compute_public_key()
            .map_err(|_| CryptoError::CryptoLibraryError)?;
        Ok(public.as_ref().to_vec())
    }

    /// The Diffie-Hellman value. The library refuses points off the curve and an all-zero X25519 result, as
    /// RFC 9180 §7.1.4 asks; the length and form are checked here because it would also take other encodings.
    pub(super) fn agree(
        &self,
        private: &PrivateKey,
        public: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let uncompressed = self.candidate_mask.is_none() || public.first() == Some(&4);
        if public.len() != self.public_len || !uncompressed {
            return Err(CryptoError::InvalidPublicKey);
        }
        agreement::agree(
            private,
            UnparsedPublicKey::new(self.algorithm, public),
            CryptoError::InvalidPublicKey,
            |dh| Ok(Zeroizing::new(dh.to_vec())),
        )
    }

    fn extract_and_expand(&self, dh: &[u8], context: &[&[u8]]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let labeled = self.labeled();
        let prk = labeled.extract(&[], b"eae_prk", dh);
        labeled.expand(&prk, b"shared_secret", context, self.hash.size())
    }
}
