//! The identity CAs of providers: ours, and those that others publish in their directories.
//!
//! A CA is fetched when the first credential of its domain comes along, over a connection on which that provider proved
//! its domain, and is pinned from then on: in the store, under a key of its own, and in memory once it was needed.
//! A provider that changes its CA is refused until rotation certificates are served (docs/specs.md).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use sabir_mls::identity::{CaCertificate, TrustAnchors};
use sabir_wire::uri::Domain;
use tokio::time::Instant;

use crate::error::Error;
use crate::server::Shared;
use crate::waits::By;

/// After a failure the domain is not asked again for this long.
const PAUSE: Duration = Duration::from_secs(10);
/// Domains whose failure is remembered.
const MOST_FAILED: usize = 1024;
/// Domains held in memory; beyond it memory starts anew from the store.
const MOST_KNOWN: usize = 16_384;

/// The pinned CAs. Reading them takes a reference, so that engines judge a request by one set.
#[derive(Debug)]
pub struct Anchors {
    ours: CaCertificate,
    known: RwLock<(Arc<TrustAnchors>, usize)>,
    failed: Mutex<BTreeMap<Domain, Instant>>,
}

impl Anchors {
    /// Knows our own CA.
    ///
    /// # Errors
    /// [`Error::Internal`] where it is not our domain's.
    pub fn new(ours: CaCertificate) -> Result<Self, Error> {
        let known = only(&ours)?;
        Ok(Self {
            ours,
            known: RwLock::new((Arc::new(known), 1)),
            failed: Mutex::default(),
        })
    }

    /// Everything known by now.
    #[must_use]
    pub fn known(&self) -> Arc<TrustAnchors> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Makes the CA of `domain` known, from the store or from its directory, since `by` speaks of it.
    ///
    /// # Errors
    /// [`Error::Upstream`] where the provider cannot be asked or publishes no usable CA; [`Error::TooMany`] and
    /// [`Error::Unavailable`] where too many wait for others; those of the store.
    pub async fn learn(&self, shared: &Shared, by: By<'_>, domain: &Domain) -> Result<(), Error> {
        if !self.known().get(domain).is_empty() {
            return Ok(());
        }
        let key = format!("identity-ca/{domain}");
        if let Some(der) = shared.store.setting(&key)? {
            return self.pin(domain, &der);
        }
        if self.failed_lately(domain) {
            return Err(Error::Upstream("its identity could not be learned"));
        }
        let wait = shared.waits.enter(by, domain)?;
        let fetched = fetch(shared, domain).await;
        drop(wait);
        if !self.known().get(domain).is_empty() {
            // Somebody who waited, too, was quicker.
            return Ok(());
        }
        let der = match fetched {
            Ok(der) => der,
            Err(error) => {
                self.note_failure(domain);
                return Err(error);
            }
        };
        // Durable first: what was judged by it stays judged by it.
        shared.store.put_setting(&key, der.clone()).await?;
        tracing::info!(%domain, "learned the identity of a provider");
        self.pin(domain, &der)
    }

    /// Trusts a CA for a domain from now on, in memory.
    ///
    /// # Errors
    /// [`Error::Upstream`] where it cannot be used.
    pub fn pin(&self, domain: &Domain, der: &[u8]) -> Result<(), Error> {
        let unusable = |_| Error::Upstream("its identity cannot be used");
        let ca = CaCertificate::parse(der).map_err(unusable)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let (mut next, count) = if known.1 >= MOST_KNOWN {
            (only(&self.ours)?, 1)
        } else {
            (TrustAnchors::clone(&known.0), known.1)
        };
        next.pin(domain, ca).map_err(unusable)?;
        *known = (Arc::new(next), count.saturating_add(1));
        Ok(())
    }

    fn failed_lately(&self, domain: &Domain) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get(domain).is_some_and(|until| Instant::now() < *until)
    }

    fn note_failure(&self, domain: &Domain) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= MOST_FAILED {
            let now = Instant::now();
            failed.retain(|_, until| *until > now);
        }
        if failed.len() < MOST_FAILED
            && let Some(until) = Instant::now().checked_add(PAUSE)
        {
            failed.insert(domain.clone(), until);
        }
    }
}

fn only(ours: &CaCertificate) -> Result<TrustAnchors, Error> {
    let mut known = TrustAnchors::new();
    known
        .pin(ours.domain(), ours.clone())
        .map_err(|_| Error::Internal("our own identity CA"))?;
    Ok(known)
}

async fn fetch(shared: &Shared, domain: &Domain) -> Result<Vec<u8>, Error> {
    let directory = shared
        .peers
        .directory(domain)
        .await
        .map_err(|error| Error::Upstream("its directory cannot be read").because(error))?;
    let der = directory
        .provider_ca
        .clone()
        .ok_or(Error::Upstream("its directory names no identity CA"))?;
    let ca = CaCertificate::parse(&der).map_err(|_| Error::Upstream("its identity CA is malformed"))?;
    if ca.domain() == domain {
        Ok(der)
    } else {
        Err(Error::Upstream("its identity CA is another domain's"))
    }
}
