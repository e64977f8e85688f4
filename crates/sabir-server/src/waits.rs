//! Requests that wait for another provider's answer, within bounds of their own: whoever does not answer, or names such a
//! provider on purpose, holds up neither the rooms that are here nor what goes to other providers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sabir_core::hub::Origin;
use sabir_wire::uri::{ClientUri, Domain};

use crate::counts::Counts;
use crate::error::Error;

/// Waits of one device at once.
const PER_DEVICE: usize = 64;
/// Waits on behalf of one provider at once, whose people are many: this part of all.
const PER_PROVIDER: usize = 8;
/// Waits for one provider at once: this part of all.
const PER_TARGET: usize = 4;

/// Who makes us ask another provider.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// A device of ours.
    Device(&'a ClientUri),
    /// Another provider.
    Provider(&'a Domain),
}

impl<'a> From<&'a Origin> for By<'a> {
    fn from(origin: &'a Origin) -> Self {
        match &origin.client {
            Some(device) => Self::Device(device),
            None => Self::Provider(&origin.provider),
        }
    }
}

/// Counts them.
#[derive(Debug)]
pub struct Waits {
    most: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by: Counts<String>,
    to: Counts<Domain>,
}

/// The right to wait, given back when dropped.
#[derive(Debug)]
pub struct Wait {
    waits: Arc<Waits>,
    by: String,
    to: Domain,
}

impl Waits {
    /// At most `most` in all.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// The right to wait for an answer of `to`.
    ///
    /// # Errors
    /// [`Error::TooMany`] for one who waits for enough already, [`Error::Unavailable`] where enough others wait.
    pub fn enter(self: &Arc<Self>, by: By<'_>, to: &Domain) -> Result<Wait, Error> {
        const SOON: Duration = Duration::from_secs(1);
        let part = |parts: usize| self.most.div_ceil(parts);
        let (by, most) = match by {
            By::Device(client) => (client.as_str(), PER_DEVICE),
            By::Provider(domain) => (domain.as_str(), part(PER_PROVIDER)),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.by.of(by) >= most {
            return Err(Error::TooMany { retry_after: SOON });
        }
        if open.to.of(to) >= part(PER_TARGET) {
            return Err(Error::Unavailable {
                what: "many wait for the other provider",
                retry_after: SOON,
            });
        }
        if open.total >= self.most {
            return Err(Error::Unavailable {
                what: "the server is busy",
                retry_after: SOON,
            });
        }
        open.total = open.total.saturating_add(1);
        open.by.up(by.to_owned());
        open.to.up(to.clone());
        Ok(Wait {
            waits: Arc::clone(self),
            by: by.to_owned(),
            to: to.clone(),
        })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut open = self.waits.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        open.by.down(&self.by);
        open.to.down(&self.to);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn device(name: &str) -> ClientUri {
        ClientUri::new(&domain("a.example"), name).unwrap()
    }

    #[test]
    fn nobody_takes_all_of_them_and_nobody_is_waited_for_by_all() {
        let waits = Waits::new(1024);
        let (alice, bob) = (device("alice1"), device("bob1"));
        let dead = domain("dead.example");
        let enter = |by: By<'_>, to: &Domain, count: usize| -> Vec<Wait> {
            (0..count).map(|_| waits.enter(by, to).unwrap()).collect()
        };
        let mut held = enter(By::Device(&alice), &dead, 64);
        assert!(matches!(
            waits.enter(By::Device(&alice), &domain("b.example")),
            Err(Error::TooMany { .. })
        ));
        held.extend(enter(By::Device(&bob), &dead, 64));
        held.extend(enter(By::Provider(&domain("c.example")), &dead, 128));
        // A quarter waits for one that is dead: for others there is room.
        let carol = device("carol1");
        assert!(matches!(
            waits.enter(By::Device(&carol), &dead),
            Err(Error::Unavailable { .. })
        ));
        assert!(matches!(
            waits.enter(By::Provider(&domain("c.example")), &domain("b.example")),
            Err(Error::TooMany { .. })
        ));
        drop(waits.enter(By::Device(&carol), &domain("b.example")).unwrap());
        held.clear();
        let open = waits.open.lock().unwrap();
        assert_eq!((open.total, open.by.keys(), open.to.keys()), (0, 0, 0));
    }

    #[test]
    fn they_are_bounded_in_all() {
        let waits = Waits::new(4);
        let alice = device("alice1");
        let enter = |number: u32| waits.enter(By::Device(&alice), &domain(&format!("p{number}.example")));
        let held: Vec<_> = (0..4).map(|number| enter(number).unwrap()).collect();
        assert!(matches!(enter(4), Err(Error::Unavailable { .. })));
        drop(held);
        enter(4).unwrap();
    }
}
