use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sabir_wire::uri::Domain;
use tokio::time::Instant;

use super::PeerError;
use crate::directory::Directory;

/// Directories kept. Any user may name any domain, so the number is bounded; the one fetched longest ago goes.
const MOST: usize = 4096;

/// Directory documents of other providers.
#[derive(Debug)]
pub(super) struct Cache {
    ttl: Duration,
    entries: Mutex<BTreeMap<Domain, Arc<Entry>>>,
}

/// One provider's document. The inner lock is held while it is fetched, so that it is fetched once.
#[derive(Debug, Default)]
struct Entry {
    document: tokio::sync::Mutex<Option<Arc<Directory>>>,
    /// Until when the document needs no fetching; `None` before the first.
    fresh_until: Mutex<Option<Instant>>,
}

impl Entry {
    fn fresh_until(&self) -> Option<Instant> {
        *self.fresh_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_fresh_until(&self, until: Option<Instant>) {
        *self.fresh_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Cache {
    pub(super) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            entries: Mutex::default(),
        }
    }

    /// The document of `peer`; `fetch` runs when there is no fresh one.
    pub(super) async fn get<F: Future<Output = Result<Directory, PeerError>>>(
        &self,
        peer: &Domain,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Directory>, PeerError> {
        let entry = self.entry(peer);
        let mut document = entry.document.lock().await;
        let fresh = entry.fresh_until().is_some_and(|until| Instant::now() < until);
        if let (true, Some(document)) = (fresh, document.as_ref()) {
            return Ok(Arc::clone(document));
        }
        match (fetch().await, document.as_ref()) {
            (Ok(fetched), _) => {
                let fetched = Arc::new(fetched);
                *document = Some(Arc::clone(&fetched));
                entry.set_fresh_until(Instant::now().checked_add(self.ttl));
                Ok(fetched)
            }
            (Err(error), Some(old)) => {
                tracing::debug!(%error, "an old directory serves on");
                Ok(Arc::clone(old))
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Makes the next [`Self::get`] fetch.
    pub(super) fn forget(&self, peer: &Domain) {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(peer) {
            entry.set_fresh_until(None);
        }
    }

    fn entry(&self, peer: &Domain) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(peer) {
            return Arc::clone(entry);
        }
        if entries.len() >= MOST {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.fresh_until());
            let oldest = oldest.map(|(domain, _)| domain.clone());
            oldest.and_then(|domain| entries.remove(&domain));
        }
        let entry = Arc::<Entry>::default();
        entries.insert(peer.clone(), Arc::clone(&entry));
        entry
    }
}
