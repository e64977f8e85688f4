//! The list of a person's devices: ours, a component for private use in every leaf and KeyPackage.
//!
//! A user's identity key signs which device keys are theirs, under a version that only grows. A new leaf must
//! carry the highest version a judge has seen, so a provider can add no device of its own and a revoked device
//! cannot come back. This module only carries the list; who checks which version is the room engine's matter.

use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_vec};
use crate::field;
use crate::mls::{ComponentId, MAX_SIGNATURE};
use crate::uri::UserUri;

/// The component that holds a [`SignedDeviceList`], in the range for private use (draft-ietf-mls-extensions §7.5).
/// Others ignore it without harm.
pub const DEVICE_LIST: ComponentId = ComponentId(0x8001);

/// Most devices of one person. The list travels in every leaf: 64 take 2 KiB.
pub const MAX_DEVICES: usize = 64;

/// SHA-256 of a device's public signature key, of its bytes alone without a length.
///
/// ```text
/// opaque KeyHash[32];
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl Encode for KeyHash {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for KeyHash {
    const NAME: &'static str = "KeyHash";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array("hash").map(Self)
    }
}

/// The devices of one person, signed by their identity key.
///
/// ```text
/// struct {
///     IdentifierUri user;
///     uint64 version;
///     KeyHash key_hashes<V>;
/// } DeviceListTBS;
///
/// struct {
///     IdentifierUri user;
///     uint64 version;
///     KeyHash key_hashes<V>;
///     /* SignWithLabel(identity_key, "SabirDeviceListTBS", DeviceListTBS) */
///     opaque signature<V>;
/// } SignedDeviceList;
/// ```
///
/// Hashes are strictly ascending, so that the same devices have the same encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDeviceList {
    /// Whose devices.
    pub user: UserUri,
    /// Grows with every change; the first list has 1.
    pub version: u64,
    /// One to [`MAX_DEVICES`], strictly ascending.
    pub key_hashes: Vec<KeyHash>,
    /// Over [`SignedDeviceList::tbs`].
    pub signature: Vec<u8>,
}

impl SignedDeviceList {
    /// The label of `SignWithLabel`.
    pub const SIGNATURE_LABEL: &'static str = "SabirDeviceListTBS";

    /// `DeviceListTBS`: the list without its signature.
    #[must_use]
    pub fn tbs(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_tbs(&mut out);
        out
    }

    /// Whether a device key is on the list.
    #[must_use]
    pub fn contains(&self, key_hash: &KeyHash) -> bool {
        self.key_hashes.binary_search(key_hash).is_ok()
    }

    fn encode_tbs(&self, out: &mut Vec<u8>) {
        self.user.encode(out);
        self.version.encode(out);
        put_vec(out, &self.key_hashes);
    }
}

impl Encode for SignedDeviceList {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_tbs(out);
        put_opaque(out, &self.signature);
    }
}

impl Decode for SignedDeviceList {
    const NAME: &'static str = "SignedDeviceList";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user: r.read_as("user")?,
            version: version(r)?,
            key_hashes: key_hashes(r)?,
            signature: field::bytes(r, "signature", MAX_SIGNATURE)?,
        })
    }
}

fn version(r: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let at = r.offset();
    match r.u64("version")? {
        // Judges start at 0, "none seen": a list of version 0 could never replace that.
        0 => Err(r.error_at(at, "version", DecodeErrorKind::Invalid("versions start at 1"))),
        version => Ok(version),
    }
}

fn key_hashes(r: &mut Reader<'_>) -> Result<Vec<KeyHash>, DecodeError> {
    let start = r.offset();
    let mut inner = r.nested("key_hashes", MAX_DEVICES.saturating_mul(size_of::<KeyHash>()))?;
    let mut hashes: Vec<KeyHash> = Vec::new();
    while !inner.is_empty() {
        let at = inner.offset();
        let hash = inner.read_as("key_hashes")?;
        if hashes.last().is_some_and(|last| *last >= hash) {
            return Err(inner.error_at(at, "key_hashes", DecodeErrorKind::NotSorted));
        }
        hashes.push(hash);
    }
    if hashes.is_empty() {
        return Err(r.error_at(start, "key_hashes", DecodeErrorKind::TooShort { min: 1 }));
    }
    Ok(hashes)
}
