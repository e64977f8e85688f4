//! The clock and the randomness, which the pure crates take as arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::error::Error;

/// Milliseconds since 1970. A clock before that counts as 1970, one beyond the numbers as their end.
#[must_use]
pub fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// A generator for one call of an engine, seeded from the system.
///
/// # Errors
/// [`Error::Internal`] when the system has no randomness to give.
pub fn rng() -> Result<ChaCha20Rng, Error> {
    let mut seed = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(seed.as_mut_slice()).map_err(|_| Error::Internal("no randomness"))?;
    Ok(ChaCha20Rng::from_seed(*seed))
}
