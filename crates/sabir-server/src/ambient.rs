//! The clock and the randomness, which the pure crates take as arguments.
//!
//! A provider takes both from its [`Ambient`]: the system's, or, in the simulated world, virtual time and a seed.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::error::Error;

/// Where one provider's time and randomness come from. Cheap to clone.
#[derive(Clone, Default)]
pub struct Ambient(Option<Arc<dyn Source>>);

/// Time and randomness that are not the system's.
pub trait Source: Send + Sync {
    /// Milliseconds since 1970.
    fn now(&self) -> u64;

    /// A seed that was not given before.
    fn seed(&self) -> [u8; 32];
}

impl Ambient {
    /// The system's clock and generator.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// Another source. What it gives decides over keys: for tests.
    #[must_use]
    pub fn given(source: Arc<dyn Source>) -> Self {
        Self(Some(source))
    }

    /// Milliseconds since 1970, as [`now`].
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.as_ref().map_or_else(now, |source| source.now())
    }

    /// A generator for one call of an engine, as [`rng`].
    ///
    /// # Errors
    /// [`Error::Internal`] when the system has no randomness to give.
    pub fn rng(&self) -> Result<ChaCha20Rng, Error> {
        match &self.0 {
            None => rng(),
            Some(source) => Ok(ChaCha20Rng::from_seed(*Zeroizing::new(source.seed()))),
        }
    }

    /// Runs what takes the processor for long beside everything else; where the source is given, in place, so that
    /// nothing depends on how threads are scheduled.
    ///
    /// # Errors
    /// [`Error::Internal`] where it panicked.
    pub async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        if self.0.is_some() {
            return Ok(work());
        }
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Error::Internal("a request's task ended early"))
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Ambient(given)"
        } else {
            "Ambient(system)"
        })
    }
}

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
