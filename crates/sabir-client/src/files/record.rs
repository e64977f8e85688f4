//! What is kept of a transfer, sealed, so that it survives the agent.

use std::path::PathBuf;

use data_encoding::BASE64;
use sabir_wire::content::{AeadAlgorithm, ExternalPart, HashAlgorithm};
use serde::{Deserialize, Serialize};

use super::gcm::{self, FileKey};

/// A file on its way, as faces see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its number in the profile.
    pub transfer: u64,
    /// Which way.
    pub direction: Direction,
    /// How it stands.
    pub state: TransferState,
    /// The file on this machine: what is sent, or what will be written.
    pub path: String,
    /// Its name as the other side gets it, or as it came.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Bytes that are behind us, in the present state.
    pub bytes_done: u64,
    /// Bytes in all; 0 where it is not known yet.
    pub bytes_total: u64,
    /// Why it failed, or why it waits, in a sentence for people.
    pub problem: Option<String>,
    /// The message that a finished upload went out with: for `message.status`.
    pub local_id: Option<u64>,
}

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From here into a message.
    Send,
    /// Out of a message to here.
    Save,
}

/// How a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// It waits for its turn, or for the provider.
    Waiting,
    /// The file is read and encrypted, or checked and decrypted.
    Preparing,
    /// Bytes move.
    Moving,
    /// The message is written down, or the file is in its place.
    Done,
    /// It will not go on.
    Failed,
}

impl TransferState {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// What is kept of a transfer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) view: Transfer,
    pub(super) task: Task,
    /// When it was begun, in milliseconds since the epoch.
    pub(super) begun: u64,
}

/// What is to be done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Task {
    Send(Box<Sending>),
    Save(Box<Saving>),
}

/// A file that is to be sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sending {
    pub(super) to: String,
    pub(super) text: Option<String>,
    pub(super) keep_metadata: bool,
    pub(super) stamp: Stamp,
    pub(super) key: Option<String>,
    /// The plan, once the file was read through.
    pub(super) plan: Option<Plan>,
}

/// What tells, without reading it, that a file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// Nanoseconds since the epoch.
    pub(super) modified: u128,
}

/// How a file is encrypted. Of each piece the hash of its ciphertext is kept, and no other ciphertext of it is ever sent:
/// two texts under one key and nonce would betray both.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    key: String,
    nonce: String,
    tag: String,
    hash: String,
    /// Bytes of the file as it is sent, without the tag.
    pub(super) size: u64,
    pieces: String,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A plan as it is used.
pub(super) struct OpenPlan {
    pub(super) key: FileKey,
    pub(super) tag: [u8; gcm::TAG_LEN],
    /// Of ciphertext and tag.
    pub(super) hash: [u8; 32],
    pub(super) size: u64,
    /// SHA-256 of each piece of ciphertext.
    pub(super) pieces: Vec<[u8; 32]>,
}

impl OpenPlan {
    pub(super) fn close(&self) -> Plan {
        Plan {
            key: BASE64.encode(self.key.key()),
            nonce: BASE64.encode(self.key.nonce()),
            tag: BASE64.encode(&self.tag),
            hash: BASE64.encode(&self.hash),
            size: self.size,
            pieces: BASE64.encode(&self.pieces.concat()),
        }
    }

    /// Bytes that are uploaded.
    pub(super) fn total(&self) -> u64 {
        self.size.saturating_add(gcm::TAG_LEN as u64)
    }
}

impl Plan {
    /// `None` where it is damaged.
    pub(super) fn open(&self) -> Option<OpenPlan> {
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).ok();
        let pieces = bytes(&self.pieces)?;
        let (pieces, rest) = pieces.as_chunks::<32>();
        rest.is_empty().then_some(())?;
        Some(OpenPlan {
            key: FileKey::new(&bytes(&self.key)?, &bytes(&self.nonce)?)?,
            tag: bytes(&self.tag)?.try_into().ok()?,
            hash: bytes(&self.hash)?.try_into().ok()?,
            size: self.size,
            pieces: pieces.to_vec(),
        })
    }
}

/// A file that is to be saved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Saving {
    pub(super) to: PathBuf,
    pub(super) overwrite: bool,
    pub(super) part: KeptPart,
}

/// What a message says of a file that can be fetched.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct KeptPart {
    pub(super) url: String,
    key: String,
    nonce: String,
    aad: String,
    pub(super) hash: [u8; 32],
    /// 0 where it is not said.
    pub(super) size: u64,
}

impl std::fmt::Debug for KeptPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeptPart(..)")
    }
}

impl KeptPart {
    /// Takes what is needed of a part.
    ///
    /// # Errors
    /// A sentence for people, where this client cannot save it.
    pub(super) fn of(part: &ExternalPart) -> Result<Self, &'static str> {
        if part.enc_alg != AeadAlgorithm::AES_128_GCM {
            return Err("The file is encrypted in a way that is not known here");
        }
        if part.hash_alg != HashAlgorithm::SHA256 {
            return Err("The message has no hash of the file that could be checked");
        }
        let hash = part.content_hash.as_slice().try_into();
        let hash = hash.map_err(|_| "The message has a hash of another length")?;
        let key = FileKey::new(part.key.expose(), &part.nonce);
        let key = key.ok_or("The message has a key or a nonce of another length")?;
        Ok(Self {
            url: part.url.clone(),
            key: BASE64.encode(key.key()),
            nonce: BASE64.encode(key.nonce()),
            aad: BASE64.encode(&part.aad),
            hash,
            size: part.size,
        })
    }

    /// Key and associated data; `None` where they are damaged.
    pub(super) fn key(&self) -> Option<(FileKey, Vec<u8>)> {
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).ok();
        let key = FileKey::new(&bytes(&self.key)?, &bytes(&self.nonce)?)?;
        Some((key, bytes(&self.aad)?))
    }
}
