//! How keys and values become bytes.
//!
//! A value is one version byte and then [CBOR](super::cbor) whose byte strings are [packed](super::packed). CBOR is
//! self-describing, so that fields OpenMLS adds with a default still decode. A key is a table's tag and the CBOR of what
//! addresses the row.

use openmls_traits::storage::{CURRENT_VERSION, Key};

use zeroize::Zeroize as _;

use super::cbor::{self, Encoded};
use super::pieces::Touched;
use super::{StorageError, packed};

/// Version of the value encoding below, the first byte of every value.
const ENVELOPE: u8 = 1;

/// The kinds of rows. A tag is part of stored keys and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Table {
    JoinConfig = 1,
    OwnLeafNodes = 2,
    QueuedProposals = 3,
    Tree = 4,
    InterimTranscriptHash = 5,
    GroupContext = 6,
    ConfirmationTag = 7,
    GroupState = 8,
    MessageSecrets = 9,
    ResumptionPsks = 10,
    OwnLeafIndex = 11,
    EpochSecrets = 12,
    ApplicationExportTree = 13,
    SignatureKeyPair = 14,
    EncryptionKeyPair = 15,
    EpochKeyPairs = 16,
    KeyPackage = 17,
    Psk = 18,
}

impl Table {
    /// Overwrites a copy of a value. The tree is public and the one row that is large, so it is left alone.
    fn wipe(self, copy: &mut [u8]) {
        if self != Self::Tree {
            copy.zeroize();
        }
    }
}

/// The key of a row: the tag, the length of the first part in four bytes, then all parts.
///
/// The length keeps the rows of one list together and apart from those of an address that begins alike.
pub(super) fn row_key<K: Key<CURRENT_VERSION>>(
    table: Table,
    first: &K,
    rest: &[&[u8]],
) -> Result<Vec<u8>, StorageError> {
    let first = minicbor_serde::to_vec(first).map_err(|_| StorageError::Encode(table as u8))?;
    let len = u32::try_from(first.len()).map_err(|_| StorageError::Encode(table as u8))?;
    let mut key = vec![table as u8];
    key.extend_from_slice(&len.to_be_bytes());
    key.extend_from_slice(&first);
    for part in rest {
        key.extend_from_slice(part);
    }
    Ok(key)
}

/// A part of a key that is not its first.
pub(super) fn key_part<K: Key<CURRENT_VERSION>>(table: Table, part: &K) -> Result<Vec<u8>, StorageError> {
    minicbor_serde::to_vec(part).map_err(|_| StorageError::Encode(table as u8))
}

pub(super) fn encode<V: serde::Serialize + ?Sized>(
    table: Table,
    value: &V,
    expected: usize,
    touched: Option<&Touched>,
) -> Result<Encoded, StorageError> {
    cbor::encode(&[ENVELOPE], value, expected, touched).ok_or(StorageError::Encode(table as u8))
}

pub(super) fn decode<V: serde::de::DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<V, StorageError> {
    let failed = || StorageError::Decode(table as u8);
    let Some((&ENVELOPE, packed)) = bytes.split_first() else {
        return Err(StorageError::Envelope(table as u8));
    };
    let mut cbor = packed::unpack(packed).ok_or_else(failed)?;
    let value = minicbor_serde::from_slice(&cbor);
    table.wipe(&mut cbor);
    value.map_err(|_| failed())
}
