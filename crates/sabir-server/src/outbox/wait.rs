use std::time::Duration;

use rand_core::RngCore;

use crate::ambient::Ambient;

/// Wait after the first failure.
const FIRST: Duration = Duration::from_millis(250);
/// Longest wait that we choose ourselves.
const LONGEST: Duration = Duration::from_secs(300);

/// How long to wait after this many failures in a row: doubling, between half and all of it by chance, so that those
/// who failed together do not come back together.
pub(super) fn backoff(failures: u32, ambient: &Ambient) -> Duration {
    let full = FIRST
        .saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX))
        .min(LONGEST);
    let half = full / 2;
    let random = ambient.rng().map_or(0, |mut rng| rng.next_u32());
    // Of u32::MAX parts: the division cannot overflow, and the sum is at most `full`.
    half.saturating_add(half.mul_f64(f64::from(random) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_and_ends() {
        for (failures, most) in [
            (1, 250),
            (2, 500),
            (3, 1000),
            (11, 256_000),
            (12, 300_000),
            (40, 300_000),
        ] {
            let most = Duration::from_millis(most);
            for _ in 0..20 {
                let wait = backoff(failures, &Ambient::system());
                assert!(wait >= most / 2 && wait <= most, "{failures}: {wait:?}");
            }
        }
    }
}
