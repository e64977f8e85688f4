use std::collections::HashMap;
use std::time::Duration;

use super::courier::Delivered;
use super::wait::backoff;
use crate::ambient::Ambient;

/// Batches in flight to one follower, at most.
pub(super) const AT_ONCE: usize = 32;
/// As many at first; with each that it accepts, one more.
const AT_FIRST: usize = 2;
/// A follower that needs longer gets half as many at once.
const SLOW: Duration = Duration::from_millis(500);
/// Batches in flight in all.
pub(super) const IN_FLIGHT: usize = 256;
/// Places of them for those who have none yet, so that as many may hang and there is one for the next.
const FIRST: usize = IN_FLIGHT / 2;
/// Of the other places a follower takes no more than half of what is left.
const SHARE: usize = 2;

/// What is known of followers while it matters: who has batches in flight, and who cannot be reached.
#[derive(Debug, Default)]
pub(super) struct Followers {
    known: HashMap<String, Follower>,
}

#[derive(Debug)]
struct Follower {
    in_flight: usize,
    /// As many may be.
    window: usize,
    failures: u32,
    /// Left alone until then, milliseconds since 1970.
    down_until: u64,
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            in_flight: 0,
            window: AT_FIRST,
            failures: 0,
            down_until: 0,
        }
    }
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
    /// `places` are free, for all followers.
    pub(super) fn state(&self, domain: &str, now: u64, places: usize) -> State {
        match self.known.get(domain) {
            Some(follower) if follower.down_until > now => State::Down {
                until: follower.down_until,
            },
            Some(follower) if follower.in_flight >= follower.window => State::Busy,
            Some(Follower { in_flight, .. })
                if *in_flight > 0 && in_flight.saturating_mul(SHARE) > places.saturating_sub(FIRST) =>
            {
                State::Busy
            }
            _ if places == 0 => State::Busy,
            _ => State::Free,
        }
    }

    pub(super) fn sent(&mut self, domain: &str) {
        let follower = self.known.entry(domain.to_owned()).or_default();
        follower.in_flight = follower.in_flight.saturating_add(1);
    }

    pub(super) fn returned(
        &mut self,
        domain: &str,
        (delivered, took): (Delivered, Duration),
        now: u64,
        ambient: &Ambient,
    ) {
        let Some(follower) = self.known.get_mut(domain) else {
            return;
        };
        follower.in_flight = follower.in_flight.saturating_sub(1);
        follower.window = match delivered {
            Delivered::Accepted | Delivered::Unacknowledged if took <= SLOW => {
                follower.window.saturating_add(1).min(AT_ONCE)
            }
            Delivered::Accepted | Delivered::Unacknowledged => follower.window.div_ceil(2),
            // One finds out for all.
            Delivered::Answered | Delivered::Unreachable => 1,
        };
        if delivered != Delivered::Unreachable {
            follower.failures = 0;
            follower.down_until = 0;
        } else if follower.down_until <= now {
            // Those that were under way together fail together: that is one failure.
            follower.failures = follower.failures.saturating_add(1);
            let wait = u64::try_from(backoff(follower.failures, ambient).as_millis()).unwrap_or(u64::MAX);
            follower.down_until = now.saturating_add(wait);
        }
        if follower.in_flight == 0 && follower.failures == 0 {
            self.known.remove(domain);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    const QUICK: Duration = Duration::from_millis(5);
    const ALL: usize = IN_FLIGHT;

    fn returned(followers: &mut Followers, delivered: Delivered, took: Duration, now: u64) {
        followers.returned("b.example", (delivered, took), now, &Ambient::system());
    }

    /// Sends until it has enough.
    fn fill(followers: &mut Followers, domain: &str, now: u64, free: usize) -> usize {
        let mut sent = 0;
        while followers.state(domain, now, free - sent) == State::Free {
            followers.sent(domain);
            sent += 1;
        }
        sent
    }

    #[test]
    fn it_gets_more_while_it_accepts_and_less_when_it_is_slow() {
        let mut followers = Followers::default();
        assert_eq!(fill(&mut followers, "b.example", 0, ALL), AT_FIRST);
        returned(&mut followers, Delivered::Accepted, QUICK, 0);
        assert_eq!(
            fill(&mut followers, "b.example", 0, ALL),
            2,
            "one more than before"
        );
        for _ in 0..100 {
            returned(&mut followers, Delivered::Accepted, QUICK, 0);
            fill(&mut followers, "b.example", 0, ALL);
        }
        assert_eq!(followers.known["b.example"].in_flight, AT_ONCE);
        for _ in 0..5 {
            returned(&mut followers, Delivered::Accepted, SLOW + QUICK, 0);
        }
        assert_eq!(followers.known["b.example"].window, 1);
        assert_eq!(followers.state("b.example", 0, ALL), State::Busy);
    }

    #[test]
    fn those_who_hang_leave_places_for_others() {
        let mut followers = Followers::default();
        let mut free = ALL;
        for number in 0..FIRST {
            let domain = format!("f{number}.example");
            followers.known.entry(domain.clone()).or_default().window = AT_ONCE;
            let sent = fill(&mut followers, &domain, 0, free);
            assert!(sent > 0, "{number}");
            assert!(number > 1 || sent == AT_ONCE, "a few get all that they may");
            free -= sent;
        }
        assert!(free > 0);
        assert_eq!(followers.state("new.example", 0, free), State::Free);
        assert_eq!(followers.state("new.example", 0, 0), State::Busy);
    }

    #[test]
    fn one_finds_out_for_all() {
        let mut followers = Followers::default();
        followers.known.entry("b.example".to_owned()).or_default().window = AT_ONCE;
        assert_eq!(fill(&mut followers, "b.example", 0, ALL), AT_ONCE);
        assert_eq!(
            followers.state("c.example", 0, ALL),
            State::Free,
            "others are not concerned"
        );
        for _ in 0..AT_ONCE {
            returned(&mut followers, Delivered::Unreachable, QUICK, 0);
        }
        let State::Down { until } = followers.state("b.example", 0, ALL) else {
            panic!("it is left alone")
        };
        assert!(until <= 250, "many at once are one failure");
        let later = 1_000_000;
        assert_eq!(fill(&mut followers, "b.example", later, ALL), 1);
        assert_eq!(followers.state("b.example", later, ALL), State::Busy);
        returned(&mut followers, Delivered::Answered, QUICK, later);
        assert_eq!(followers.state("b.example", later, ALL), State::Free);
        assert!(followers.known.is_empty(), "nothing is kept of those who answer");
    }
}
