//! Uploaded files: who may store how much, and which bytes belong to whom. The bytes themselves live elsewhere.
//!
//! ```text
//!   begin ──> receiving ──finish──> finished
//!                 └──── expired ────────┘──> listed by `expired_assets`, its bytes deleted ──> dropped
//! ```
//!
//! An asset counts against its owner's quota from `begin` until it is dropped, so what is on disk is always counted.

use crate::StoreError;
use crate::types::{Hash, bounded};

/// An uploaded file, or one that is being uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its name, drawn at random.
    pub id: String,
    /// The user's URI.
    pub owner: String,
    /// Bytes that were announced.
    pub size: u64,
    /// Hash of its bytes.
    pub hash: Hash,
    /// Milliseconds since 1970.
    pub begun_at: u64,
    /// Whether all of it is there and has this hash.
    pub finished: bool,
    /// Milliseconds since 1970; from then on it is gone for everybody.
    pub expires_at: u64,
}

/// Makes room for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeginAsset {
    /// A fresh random name.
    pub id: String,
    /// The user's URI.
    pub owner: String,
    /// Bytes, at least 1.
    pub size: u64,
    /// Hash of the bytes.
    pub hash: Hash,
    /// Bytes that all assets of this owner together may have, this one included. Bounded as all numbers are, so that
    /// their sum is as well.
    pub quota: u64,
    /// How many assets this owner may have, this one included: records take room, too.
    pub most: u64,
    /// Until when it must be finished.
    pub expires_at: u64,
    /// Milliseconds since 1970.
    pub now: u64,
}

impl BeginAsset {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.size == 0 {
            return Err(StoreError::Misuse("an asset without bytes"));
        }
        bounded(&[self.size, self.quota, self.most, self.expires_at, self.now])
    }
}

/// What became of an asset. Only `Begun` changes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginAssetOutcome {
    /// New.
    Begun(Asset),
    /// The owner has one of this size and hash that has not expired.
    Same(Asset),
    /// The owner's assets and this one are more than the quota; holds the bytes of those that are there.
    QuotaExceeded {
        /// Bytes.
        used: u64,
    },
    /// The owner has as many assets as he may have.
    TooMany,
    /// An asset of another kind has this name.
    IdTaken,
}

/// All bytes of an asset are durable and have the announced hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishAsset {
    /// Its name.
    pub id: String,
    /// Until when it is kept.
    pub expires_at: u64,
    /// Milliseconds since 1970.
    pub now: u64,
}

impl FinishAsset {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.expires_at, self.now])
    }
}

/// Gives an asset up before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUpAsset {
    /// Its name.
    pub id: String,
    /// The user's URI; another's asset stays.
    pub owner: String,
    /// Milliseconds since 1970: from now on it has expired.
    pub now: u64,
}

impl GiveUpAsset {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.now])
    }
}

/// The bytes of these assets are deleted: those of them that have expired are forgotten, others stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropAssets {
    /// Their names.
    pub ids: Vec<String>,
    /// Milliseconds since 1970.
    pub now: u64,
}

impl DropAssets {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        bounded(&[self.now])
    }
}
