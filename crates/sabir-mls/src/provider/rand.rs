//! Randomness of one call: a ChaCha20 stream from the call's seed.

use std::cell::RefCell;
use std::fmt;

use openmls_traits::random::OpenMlsRand;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore as _;

/// The stream from which OpenMLS takes nonces, path secrets and group ids.
///
/// It has interior mutability because the trait asks for `&self`, and no lock because OpenMLS draws from it in the
/// calling thread only; what OpenMLS does in worker threads goes through [`super::Crypto`], which has no stream.
pub struct Rand(Option<RefCell<ChaCha20Rng>>);

/// Randomness was asked of a provider that has none, because its caller meant only to check something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this provider has no randomness")]
pub struct NoRandomness;

impl Rand {
    pub(super) const fn new(stream: ChaCha20Rng) -> Self {
        Self(Some(RefCell::new(stream)))
    }

    /// A source that answers every request with [`NoRandomness`].
    pub(super) const fn none() -> Self {
        Self(None)
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.0
            .as_ref()
            .ok_or(NoRandomness)?
            .borrow_mut()
            .fill_bytes(bytes);
        Ok(())
    }
}

impl OpenMlsRand for Rand {
    type Error = NoRandomness;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, NoRandomness> {
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Rand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rand(..)")
    }
}
