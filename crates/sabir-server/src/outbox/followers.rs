use std::collections::HashMap;

use super::courier::Delivered;
use super::wait::backoff;
use crate::ambient::Ambient;

/// Batches in flight to one follower.
const AT_ONCE: usize = 32;
/// How long batches wait while one of them finds out whether its follower is back, in milliseconds.
const PROBE_MS: u64 = 1000;

/// What is known of followers while it matters: who has batches in flight, and who cannot be reached.
#[derive(Debug, Default)]
pub(super) struct Followers {
    known: HashMap<String, Follower>,
}

#[derive(Debug, Default)]
struct Follower {
    in_flight: usize,
    failures: u32,
    /// Left alone until then, milliseconds since 1970.
    down_until: u64,
}

/// Whether a follower takes another batch now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It does.
    Free,
    /// It has enough.
    Busy,
    /// It cannot be reached.
    Down {
        /// Milliseconds since 1970.
        until: u64,
    },
}

impl Followers {
    pub(super) fn state(&self, domain: &str, now: u64) -> State {
        match self.known.get(domain) {
            Some(follower) if follower.down_until > now => State::Down {
                until: follower.down_until,
            },
            // After a failure one batch finds out for all.
            Some(follower) if follower.failures > 0 && follower.in_flight > 0 => State::Down {
                until: now.saturating_add(PROBE_MS),
            },
            Some(follower) if follower.in_flight >= AT_ONCE => State::Busy,
            _ => State::Free,
        }
    }

    pub(super) fn sent(&mut self, domain: &str) {
        let follower = self.known.entry(domain.to_owned()).or_default();
        follower.in_flight = follower.in_flight.saturating_add(1);
    }

    pub(super) fn returned(&mut self, domain: &str, delivered: Delivered, now: u64, ambient: &Ambient) {
        let Some(follower) = self.known.get_mut(domain) else {
            return;
        };
        follower.in_flight = follower.in_flight.saturating_sub(1);
        match delivered {
            Delivered::Accepted | Delivered::Answered => {
                follower.failures = 0;
                follower.down_until = 0;
            }
            Delivered::Unreachable => {
                follower.failures = follower.failures.saturating_add(1);
                let wait = u64::try_from(backoff(follower.failures, ambient).as_millis()).unwrap_or(u64::MAX);
                follower.down_until = now.saturating_add(wait);
            }
        }
        if follower.in_flight == 0 && follower.failures == 0 {
            self.known.remove(domain);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn one_finds_out_for_all() {
        let mut followers = Followers::default();
        for _ in 0..AT_ONCE {
            assert_eq!(followers.state("b.example", 0), State::Free);
            followers.sent("b.example");
        }
        assert_eq!(followers.state("b.example", 0), State::Busy);
        assert_eq!(
            followers.state("c.example", 0),
            State::Free,
            "others are not concerned"
        );
        followers.returned("b.example", Delivered::Unreachable, 0, &Ambient::system());
        let State::Down { until } = followers.state("b.example", 0) else {
            panic!("it is left alone")
        };
        assert!(until <= 250);
        for _ in 1..AT_ONCE {
            followers.returned("b.example", Delivered::Unreachable, 0, &Ambient::system());
        }
        let later = 1_000_000;
        assert_eq!(followers.state("b.example", later), State::Free);
        followers.sent("b.example");
        assert!(matches!(followers.state("b.example", later), State::Down { .. }));
        followers.returned("b.example", Delivered::Answered, later, &Ambient::system());
        assert_eq!(followers.state("b.example", later), State::Free);
        assert!(followers.known.is_empty(), "nothing is kept of those who answer");
    }
}
