//! Randomness for engines: a stream per call, seeded by the operating system.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

/// The operating system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct NoRandomness;

/// A fresh stream. It lives for one call of an engine.
///
/// # Errors
/// [`NoRandomness`], after which nothing secret may be made.
pub fn stream() -> Result<ChaCha20Rng, NoRandomness> {
    let mut seed = Zeroizing::new([0; 32]);
    fill(seed.as_mut_slice())?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

/// Fills `bytes` at random.
///
/// # Errors
/// [`NoRandomness`].
pub fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    aws_lc_rs::rand::fill(bytes).map_err(|_| NoRandomness)
}
