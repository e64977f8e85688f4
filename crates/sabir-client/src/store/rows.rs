//! Rows of engines: one scope per room, keys and values opaque, both hidden.

use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{Reader, put_opaque};
use zeroize::Zeroizing;

use super::seal::Hash;
use super::{StoreError, Tx};

const TABLE: &str = "rows";
/// Longest key that is read back, in bytes. The longest that the engines write have a few hundred.
const MAX_KEY: usize = 64 << 10;

impl Tx<'_> {
    /// Every row of a scope.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn rows(&self, scope: &str) -> Result<Rows, StoreError> {
        let scope = self.scope(scope);
        let mut rows = Rows::new();
        let mut statement = self
            .sql
            .prepare_cached("SELECT key, value FROM rows WHERE scope = ?1")?;
        let mut found = statement.query([scope.as_slice()])?;
        while let Some(row) = found.next()? {
            let hash: Vec<u8> = row.get(0)?;
            let sealed: Vec<u8> = row.get(1)?;
            let content = self.sealer.open(TABLE, &row_id(&scope, &hash), &sealed)?;
            let mut reader = Reader::new(&content);
            let key = reader
                .opaque("key", MAX_KEY)
                .map_err(|_| StoreError::Damaged(TABLE))?;
            let value = reader
                .take("value", reader.remaining())
                .map_err(|_| StoreError::Damaged(TABLE))?;
            rows.insert(key.to_vec(), value.to_vec());
        }
        Ok(rows)
    }

    /// Writes what an engine changed in its scope.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn apply(&mut self, scope: &str, changes: &RowChanges) -> Result<(), StoreError> {
        let scope = self.scope(scope);
        let mut delete = self
            .sql
            .prepare_cached("DELETE FROM rows WHERE scope = ?1 AND key = ?2")?;
        for key in &changes.deletes {
            delete.execute((scope.as_slice(), self.key(&scope, key).as_slice()))?;
        }
        let mut put = self.sql.prepare_cached(
            "INSERT INTO rows (scope, key, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = ?3",
        )?;
        for (key, value) in &changes.puts {
            let hash = self.key(&scope, key);
            let mut content = Zeroizing::new(Vec::with_capacity(
                key.len().saturating_add(value.len()).saturating_add(4),
            ));
            put_opaque(&mut content, key);
            content.extend_from_slice(value);
            let sealed = self.sealer.seal(TABLE, &row_id(&scope, &hash), &content)?;
            put.execute((scope.as_slice(), hash.as_slice(), sealed))?;
        }
        Ok(())
    }

    /// Deletes every row of a scope.
    ///
    /// # Errors
    /// Failures of the database.
    pub fn clear(&mut self, scope: &str) -> Result<(), StoreError> {
        let scope = self.scope(scope);
        self.sql
            .prepare_cached("DELETE FROM rows WHERE scope = ?1")?
            .execute([scope.as_slice()])?;
        Ok(())
    }

    fn scope(&self, scope: &str) -> Hash {
        self.sealer.hash("scope", &[scope.as_bytes()])
    }

    fn key(&self, scope: &Hash, key: &[u8]) -> Hash {
        self.sealer.hash("row", &[scope, key])
    }
}

fn row_id(scope: &[u8], hash: &[u8]) -> Vec<u8> {
    [scope, hash].concat()
}
