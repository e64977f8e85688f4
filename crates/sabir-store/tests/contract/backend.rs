//! The implementations under test, each with its restart.

use sabir_store::{MemoryStore, SqliteStore, Store};
use tempfile::TempDir;

/// A store that can be closed and opened again.
pub(crate) trait Backend {
    fn store(&self) -> &dyn Store;
    fn restart(&mut self);
}

pub(crate) struct InMemory(pub(crate) MemoryStore);

impl Backend for InMemory {
    fn store(&self) -> &dyn Store {
        &self.0
    }

    fn restart(&mut self) {
        self.0 = self.0.reopen();
    }
}

pub(crate) struct OnDisk {
    pub(crate) directory: TempDir,
    store: Option<SqliteStore>,
}

impl OnDisk {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Some(SqliteStore::open(&directory.path().join("store")).unwrap());
        Self { directory, store }
    }

    pub(crate) fn sqlite(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }
}

impl Backend for OnDisk {
    fn store(&self) -> &dyn Store {
        self.sqlite()
    }

    fn restart(&mut self) {
        drop(self.store.take());
        self.store = Some(SqliteStore::open(&self.directory.path().join("store")).unwrap());
    }
}

/// Tells a story to every implementation.
pub(crate) fn each(story: impl Fn(&mut dyn Backend)) {
    story(&mut InMemory(MemoryStore::new()));
    story(&mut OnDisk::new());
}
