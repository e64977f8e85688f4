//! Private parts of key packages: written before a package is published, taken when a Welcome names it.

use rusqlite::OptionalExtension as _;
use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{Reader, put_opaque};
use zeroize::Zeroizing;

use super::{StoreError, Tx};

const TABLE: &str = "key_packages";
/// Most bytes of one row, key or value.
const MAX_PART: usize = 1 << 20;

/// The private rows of one key package, as [`sabir_mls::key_package::NewKeyPackage::private`] gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackageRows {
    /// Its KeyPackageRef (RFC 9420 §5.2).
    pub reference: Vec<u8>,
    /// What joining with it needs.
    pub rows: Rows,
}

impl Tx<'_> {
    /// Keeps the private rows of a package made at `now`.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn put_key_package(
        &mut self,
        reference: &[u8],
        private: &RowChanges,
        now: u64,
    ) -> Result<(), StoreError> {
        let hash = self.reference(reference);
        let mut content = Zeroizing::new(Vec::new());
        put_opaque(&mut content, reference);
        for (key, value) in &private.puts {
            put_opaque(&mut content, key);
            put_opaque(&mut content, value);
        }
        let sealed = self.sealer.seal(TABLE, &hash, &content)?;
        self.sql
            .prepare_cached(
                "INSERT INTO key_packages (reference, created, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET value = ?3",
            )?
            .execute((hash.as_slice(), i64::try_from(now).unwrap_or(i64::MAX), sealed))?;
        Ok(())
    }

    /// The private rows of a package.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn key_package(&self, reference: &[u8]) -> Result<Option<KeyPackageRows>, StoreError> {
        let hash = self.reference(reference);
        let sealed: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT value FROM key_packages WHERE reference = ?1")?
            .query_row([hash.as_slice()], |row| row.get(0))
            .optional()?;
        let Some(sealed) = sealed else { return Ok(None) };
        let content = self.sealer.open(TABLE, &hash, &sealed)?;
        read(&content).map(Some).ok_or(StoreError::Damaged(TABLE))
    }

    /// Forgets a package: it was used, or will never be.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn remove_key_package(&mut self, reference: &[u8]) -> Result<(), StoreError> {
        let hash = self.reference(reference);
        self.sql
            .prepare_cached("DELETE FROM key_packages WHERE reference = ?1")?
            .execute([hash.as_slice()])?;
        Ok(())
    }

    /// Forgets the packages made before `before`; says how many.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn remove_key_packages_before(&mut self, before: u64) -> Result<usize, StoreError> {
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        Ok(self
            .sql
            .prepare_cached("DELETE FROM key_packages WHERE created < ?1")?
            .execute([before])?)
    }

    fn reference(&self, reference: &[u8]) -> super::seal::Hash {
        self.sealer.hash("key package", &[reference])
    }
}

fn read(content: &[u8]) -> Option<KeyPackageRows> {
    let mut reader = Reader::new(content);
    let reference = reader.opaque("reference", MAX_PART).ok()?.to_vec();
    let mut rows = Rows::new();
    while !reader.is_empty() {
        let key = reader.opaque("key", MAX_PART).ok()?.to_vec();
        rows.insert(key, reader.opaque("value", MAX_PART).ok()?.to_vec());
    }
    Some(KeyPackageRows { reference, rows })
}
