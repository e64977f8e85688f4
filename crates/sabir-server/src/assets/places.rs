use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::counts::Counts;
use crate::error::Error;

/// Files that are moved at once, for one kind of movers: devices, or other providers.
#[derive(Debug)]
pub(super) struct Places {
    /// In all.
    all: usize,
    /// For one mover.
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    /// By the device's URI or the provider's domain.
    by: Counts<String>,
}

/// The right to move one file, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    mover: String,
}

/// Another transfer has to end first.
pub(super) const TOO_MANY: Error = Error::TooMany {
    retry_after: Duration::from_secs(1),
};

impl Places {
    /// At most `all`, and of them `each` for one mover.
    pub(super) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            each,
            taken: Mutex::default(),
        })
    }

    /// A place for this mover. Half of the places are for movers that have none yet; of the others nobody takes more than
    /// half of what is left.
    ///
    /// # Errors
    /// [`TOO_MANY`].
    pub(super) fn enter(self: &Arc<Self>, mover: &str) -> Result<Place, Error> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let has = taken.by.of(mover);
        let left = self.all.saturating_sub(taken.total);
        let shared = left.saturating_sub(self.all / 2);
        if left == 0 || has >= self.each || (has > 0 && has.saturating_mul(2) > shared) {
            return Err(TOO_MANY);
        }
        taken.total = taken.total.saturating_add(1);
        taken.by.up(mover.to_owned());
        Ok(Place {
            places: Arc::clone(self),
            mover: mover.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(1);
        taken.by.down(&self.mover);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn as_many_as_there_are(places: &Arc<Places>, mover: &str) -> Vec<Place> {
        std::iter::from_fn(|| places.enter(mover).ok()).collect()
    }

    #[test]
    fn a_few_who_take_all_they_can_leave_places_for_many() {
        let places = Places::new(512, 128);
        let mut held = Vec::new();
        for number in 0..256 {
            let taken = as_many_as_there_are(&places, &format!("p{number}.example"));
            assert!(!taken.is_empty(), "{number}");
            assert!(number > 0 || taken.len() > 80, "one alone gets many");
            held.extend(taken);
        }
        assert!(as_many_as_there_are(&places, "p0.example").is_empty());
        drop(held);
        assert_eq!(places.taken.lock().unwrap().by.keys(), 0);
        assert_eq!(places.taken.lock().unwrap().total, 0);
    }

    #[test]
    fn nobody_has_more_than_his_part() {
        let places = Places::new(512, 8);
        assert_eq!(as_many_as_there_are(&places, "alice1").len(), 8);
        let places = Places::new(2, 8);
        let first = places.enter("alice1").unwrap();
        let second = places.enter("bob1").unwrap();
        assert!(places.enter("carol1").is_err());
        drop((first, second));
        places.enter("carol1").unwrap();
    }
}
