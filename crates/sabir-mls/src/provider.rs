//! What OpenMLS needs from outside, for one call: cryptography, randomness, storage.
//!
//! ```text
//!    rng of the call --- one 32-byte seed ---+--> Rand     stream for nonces, path secrets, group ids
//!                                            +--> Crypto   HPKE ephemerals and keys, derived, never streamed
//!    rows of one group -------------------------> Overlay -----> changes for the shell to persist
//! ```
//!
//! Nothing here reads a clock, a file or ambient randomness: the same seed, rows and calls give the same bytes, with
//! ECDSA signatures as the exception ([`signature`]).

mod crypto;
mod hpke;
mod hybrid;
pub(crate) mod kem;
mod labeled;
mod leaf_hashes;
pub(crate) mod primitives;
mod rand;
pub(crate) mod signature;
mod storage;

use openmls_traits::OpenMlsProvider;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore as _, SeedableRng as _};
use zeroize::Zeroizing;

pub use self::crypto::{Crypto, SUITES};
pub use self::rand::{NoRandomness, Rand};
pub(crate) use self::storage::Touched;
pub use self::storage::{Overlay, StorageError};
use crate::claims::Claims;
use crate::rows::{RowChanges, Rows};

/// An OpenMLS provider for the calls that one seed is meant for.
#[derive(Debug)]
pub struct Provider {
    crypto: Crypto,
    rand: Rand,
    storage: Overlay,
    /// Credentials that were read.
    claims: Claims,
}

impl Provider {
    /// A provider over the rows of one group, seeded with 32 bytes from `rng`.
    pub fn new(rng: &mut dyn CryptoRng, rows: Rows) -> Self {
        let (crypto, rand) = seeded(rng);
        Self {
            crypto,
            rand,
            storage: Overlay::new(rows),
            claims: Claims::default(),
        }
    }

    /// A provider with empty storage for those who check only: whatever needs fresh randomness fails.
    #[must_use]
    pub fn without_randomness() -> Self {
        Self {
            crypto: Crypto::without_randomness(),
            rand: Rand::none(),
            storage: Overlay::new(Rows::new()),
            claims: Claims::default(),
        }
    }

    /// Says which leaves the tree that is written next may differ in from the stored one; see [`Overlay::expect`].
    pub(crate) fn expect_touched(&self, touched: Option<Touched>) {
        self.storage.expect(touched);
    }

    /// Takes a new seed from `rng` for the next call and keeps the storage.
    pub fn reseed(&mut self, rng: &mut dyn CryptoRng) {
        let (mut crypto, rand) = seeded(rng);
        crypto.remember_as(&self.crypto);
        (self.crypto, self.rand) = (crypto, rand);
    }

    /// The memory of credentials that were read.
    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// A copy of what changed in storage; see [`Overlay::changes`].
    #[must_use]
    pub fn changes(&self) -> RowChanges {
        self.storage.changes()
    }

    /// What changed in storage, which from now on counts as persisted; see [`Overlay::take_changes`].
    pub fn take_changes(&self) -> RowChanges {
        self.storage.take_changes()
    }

    /// Forgets what changed in storage; see [`Overlay::discard`].
    pub fn discard(&self) {
        self.storage.discard();
    }

    /// A copy of every row, with the changes applied; see [`Overlay::rows`].
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.storage.rows()
    }

    /// Every row with the changes applied.
    #[must_use]
    pub fn into_rows(self) -> Rows {
        self.storage.into_rows()
    }
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = Crypto;
    type RandProvider = Rand;
    type StorageProvider = Overlay;

    fn storage(&self) -> &Self::StorageProvider {
        &self.storage
    }

    fn crypto(&self) -> &Self::CryptoProvider {
        &self.crypto
    }

    fn rand(&self) -> &Self::RandProvider {
        &self.rand
    }
}

/// One seed makes one stream: its first 32 bytes are the key from which [`Crypto`] derives, the rest is [`Rand`].
fn seeded(rng: &mut dyn CryptoRng) -> (Crypto, Rand) {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(seed.as_mut_slice());
    let mut stream = ChaCha20Rng::from_seed(*seed);
    let mut derivation_key = Zeroizing::new([0; 32]);
    stream.fill_bytes(derivation_key.as_mut_slice());
    (Crypto::new(derivation_key), Rand::new(stream))
}
