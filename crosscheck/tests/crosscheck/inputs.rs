//! Random inputs of a fixed seed, and the suites to try them on.

use openmls_traits::types::Ciphersuite;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sabir_mls::provider::{Crypto, SUITES};
use zeroize::Zeroizing;

/// How many inputs each operation of each suite is tried on.
pub(crate) const ROUNDS: usize = 24;

/// The one suite of ours of which theirs has neither signatures nor KEM; see [`crate::differences`].
pub(crate) const HYBRID: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519;
pub(crate) const P521: Ciphersuite = Ciphersuite::MLS_256_DHKEMP521_AES256GCM_SHA512_P521;

/// The order of the group of edwards25519, RFC 8032 §5.1, least significant byte first.
pub(crate) const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Ours whose keys theirs has too.
pub(crate) fn suites_with_keys() -> impl Iterator<Item = Ciphersuite> {
    SUITES.iter().copied().filter(|suite| *suite != P521)
}

pub(crate) struct Inputs(pub(crate) ChaCha20Rng);

impl Inputs {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    pub(crate) fn exactly(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.next_u32()).unwrap() % bound
    }

    /// Up to 299 bytes, often none.
    pub(crate) fn some(&mut self) -> Vec<u8> {
        let len = self.below(400).saturating_sub(100);
        self.exactly(len)
    }

    /// Ours, with a fresh seed.
    pub(crate) fn crypto(&mut self) -> Crypto {
        let mut seed = Zeroizing::new([0; 32]);
        self.0.fill_bytes(seed.as_mut_slice());
        Crypto::new(seed)
    }

    /// `bytes` with one bit turned.
    pub(crate) fn altered(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut altered = bytes.to_vec();
        let (at, bit) = (self.below(bytes.len()), self.below(8));
        altered[at] ^= 1 << bit;
        altered
    }
}
