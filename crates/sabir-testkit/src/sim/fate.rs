//! Where every choice of a simulated world comes from: one seed, split by name, so that what one part draws does not
//! move what another gets.

use std::sync::Mutex;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sabir_mls::keys::sha256;

/// A stream of choices.
#[derive(Debug)]
pub(super) struct Fate(Mutex<ChaCha20Rng>);

impl Fate {
    /// The stream of this name in the world of this seed.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        let seed = sha256(&[&seed.to_be_bytes(), name.as_bytes()].concat());
        Self(Mutex::new(ChaCha20Rng::from_seed(seed)))
    }

    /// A number below `end`; 0 where `end` is 0.
    pub(super) fn below(&self, end: u64) -> u64 {
        self.draw().checked_rem(end).unwrap_or_default()
    }

    /// A number from `from` to `to`, both included.
    pub(super) fn between(&self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// True this often in a thousand.
    pub(super) fn happens(&self, per_mille: u64) -> bool {
        // Drawn in any case: a setting that changes moves nothing else.
        self.below(1000) < per_mille
    }

    /// One of these.
    pub(super) fn one_of<'a, T>(&self, choices: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or_default();
        choices.get(index)
    }

    /// A time between these, in milliseconds.
    pub(super) fn wait(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    /// A seed for something that draws by itself.
    pub(super) fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng().fill_bytes(&mut seed);
        seed
    }

    /// A generator for one call of an engine.
    pub(super) fn stream(&self) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(self.seed())
    }

    fn draw(&self) -> u64 {
        self.rng().next_u64()
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, ChaCha20Rng> {
        self.0.lock().unwrap()
    }
}
