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
/// A failure is everybody's answer for as long as it took to find out, and between these two.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Directory documents of other providers.
///
/// Invariant: whoever asks for a document waits for one fetch at most, his own or the one that he found under way.
#[derive(Debug)]
pub(super) struct Cache {
    ttl: Duration,
    entries: Mutex<BTreeMap<Domain, Arc<Entry>>>,
}

/// One provider's document.
#[derive(Debug, Default)]
struct Entry {
    /// Locked while the document is fetched, so that it is fetched once.
    known: Arc<tokio::sync::Mutex<Known>>,
    /// Until when the document needs no fetching; `None` before the first.
    fresh_until: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Known {
    document: Option<Arc<Directory>>,
    /// What the last fetch failed with.
    failed: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    why: Arc<PeerError>,
    at: Instant,
    /// Who asks before then is not worth another fetch.
    until: Instant,
}

impl Entry {
    fn fresh_until(&self) -> Option<Instant> {
        *self.fresh_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_fresh_until(&self, until: Option<Instant>) {
        *self.fresh_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// What somebody is told who came at `asked`; `None` where the document must be fetched.
    fn answer(&self, known: &Known, asked: Instant) -> Option<Result<Arc<Directory>, PeerError>> {
        let now = Instant::now();
        let fresh = self.fresh_until().is_some_and(|until| now < until);
        match (&known.document, &known.failed) {
            (Some(document), _) if fresh => Some(Ok(Arc::clone(document))),
            (old, Some(failed)) if asked <= failed.at || now < failed.until => Some(match old {
                Some(old) => Ok(Arc::clone(old)),
                None => Err(PeerError::Lately(Arc::clone(&failed.why))),
            }),
            _ => None,
        }
    }
}

impl Known {
    fn failed(&mut self, error: PeerError, begun: Instant) -> Result<Arc<Directory>, PeerError> {
        let (at, why) = (Instant::now(), Arc::new(error));
        let pause = at.duration_since(begun).clamp(PAUSE.0, PAUSE.1);
        self.failed = Some(Failed {
            why: Arc::clone(&why),
            at,
            until: at.checked_add(pause).unwrap_or(at),
        });
        match &self.document {
            Some(old) => {
                tracing::debug!(error = %why, "an old directory serves on");
                Ok(Arc::clone(old))
            }
            None => Err(PeerError::Lately(why)),
        }
    }
}

impl Cache {
    pub(super) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            entries: Mutex::default(),
        }
    }

    /// The document of `peer`; `fetch` runs when there is no fresh one and none could be fetched for a while.
    ///
    /// # Errors
    /// [`PeerError::Lately`] with what the fetch failed with, also when it was somebody else's.
    pub(super) async fn get<F>(
        &self,
        peer: &Domain,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Directory>, PeerError>
    where
        F: Future<Output = Result<Directory, PeerError>> + Send + 'static,
    {
        let entry = self.entry(peer);
        let asked = Instant::now();
        let mut known = Arc::clone(&entry.known).lock_owned().await;
        if let Some(answer) = entry.answer(&known, asked) {
            return answer;
        }
        let (fetching, ttl) = (fetch(), self.ttl);
        // In a task of its own: where the one who asked goes away, the others still get the outcome.
        let fetched = tokio::spawn(async move {
            let begun = Instant::now();
            match fetching.await {
                Ok(document) => {
                    let document = Arc::new(document);
                    known.document = Some(Arc::clone(&document));
                    known.failed = None;
                    entry.set_fresh_until(Instant::now().checked_add(ttl));
                    Ok(document)
                }
                Err(error) => known.failed(error, begun),
            }
        });
        // It ends without an outcome when the runtime goes down.
        fetched.await.unwrap_or(Err(PeerError::Timeout))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A provider's directory that takes its time, and how often it was asked for.
    #[derive(Clone, Default)]
    struct Source {
        asked: Arc<AtomicUsize>,
        good: bool,
    }

    impl Source {
        async fn fetch(self) -> Result<Directory, PeerError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(30)).await;
            if self.good {
                Ok(Directory::ours(&peer(), &[], None))
            } else {
                Err(PeerError::Timeout)
            }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn peer() -> Domain {
        Domain::parse("b.example").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_everybody_s_who_waited_and_a_while_longer() {
        let cache = Arc::new(Cache::new(Duration::from_secs(60)));
        let source = Source::default();
        let begun = Instant::now();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (cache, source) = (Arc::clone(&cache), source.clone());
            waiting.spawn(async move { cache.get(&peer(), || source.fetch()).await });
        }
        for answer in waiting.join_all().await {
            let Err(PeerError::Lately(why)) = answer else {
                panic!("{answer:?}")
            };
            assert!(matches!(*why, PeerError::Timeout));
        }
        assert_eq!((source.asked(), begun.elapsed().as_secs()), (1, 30));
        cache.get(&peer(), || source.clone().fetch()).await.unwrap_err();
        assert_eq!(source.asked(), 1, "it failed a moment ago");
        tokio::time::sleep(PAUSE.1).await;
        cache.get(&peer(), || source.clone().fetch()).await.unwrap_err();
        assert_eq!(source.asked(), 2, "in the end it is asked again");
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_takes_the_outcome_from_nobody() {
        let cache = Cache::new(Duration::from_secs(60));
        let source = Source::default();
        let to = peer();
        let impatient = cache.get(&to, || source.clone().fetch());
        tokio::time::timeout(Duration::from_secs(29), impatient)
            .await
            .unwrap_err();
        let begun = Instant::now();
        cache.get(&peer(), || source.clone().fetch()).await.unwrap_err();
        assert_eq!((source.asked(), begun.elapsed().as_secs()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_document_serves_on_without_a_fetch_each_time() {
        let cache = Cache::new(Duration::from_secs(60));
        let good = Source {
            good: true,
            ..Source::default()
        };
        let first = cache.get(&peer(), || good.clone().fetch()).await.unwrap();
        cache.forget(&peer());
        let source = Source::default();
        for _ in 0..100 {
            let old = cache.get(&peer(), || source.clone().fetch()).await.unwrap();
            assert_eq!(old, first);
            // As after each answer that says that the endpoint is not there.
            cache.forget(&peer());
        }
        assert_eq!(source.asked(), 1);
        tokio::time::sleep(PAUSE.1).await;
        cache.get(&peer(), || good.clone().fetch()).await.unwrap();
        assert_eq!(good.asked(), 2);
    }
}
