use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::cbor::{Reader, Writer};
use crate::codec::DecodeError;

/// The key of an extension. Keys order as their encodings do (draft-ietf-mimi-content §6.1): positive numbers,
/// negative numbers, then texts, the shorter first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionKey {
    /// Positive: registered with IANA. Negative: private. Never 0, at most 2^53 − 1 either way.
    Int(i64),
    /// Private, 1 to 255 bytes.
    Text(String),
}

impl ExtensionKey {
    /// `senderUri`: who the sender claims to be (draft-ietf-mimi-content §8.2.1).
    pub const SENDER_URI: Self = Self::Int(1);
    /// `roomUri`: where the sender claims to have sent it (draft-ietf-mimi-content §8.2.1).
    pub const ROOM_URI: Self = Self::Int(2);
}

impl Ord for ExtensionKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => (*a < 0, a.unsigned_abs()).cmp(&(*b < 0, b.unsigned_abs())),
            (Self::Int(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Int(_)) => Ordering::Greater,
            (Self::Text(a), Self::Text(b)) => (a.len(), a).cmp(&(b.len(), b)),
        }
    }
}

impl PartialOrd for ExtensionKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The extensions of a message, in the order of their keys. Unknown ones survive byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions(BTreeMap<ExtensionKey, RawValue>);

impl Extensions {
    /// The two extensions every message carries so that it can be franked (draft-ietf-mimi-protocol-06 §5.4.1.1).
    #[must_use]
    pub fn claiming(sender_uri: &str, room_uri: &str) -> Self {
        let mut extensions = Self::default();
        extensions.insert(ExtensionKey::SENDER_URI, RawValue::text(sender_uri));
        extensions.insert(ExtensionKey::ROOM_URI, RawValue::text(room_uri));
        extensions
    }

    /// Who the sender claims to be. Whether it is true is for MLS to say.
    #[must_use]
    pub fn sender_uri(&self) -> Option<&str> {
        self.get(&ExtensionKey::SENDER_URI)?.as_text()
    }

    /// Where the sender claims to have sent the message.
    #[must_use]
    pub fn room_uri(&self) -> Option<&str> {
        self.get(&ExtensionKey::ROOM_URI)?.as_text()
    }

    /// The value of one extension.
    #[must_use]
    pub fn get(&self, key: &ExtensionKey) -> Option<&RawValue> {
        self.0.get(key)
    }

    /// Sets one extension and gives the value it had.
    pub fn insert(&mut self, key: ExtensionKey, value: RawValue) -> Option<RawValue> {
        self.0.insert(key, value)
    }

    /// Takes one extension away.
    pub fn remove(&mut self, key: &ExtensionKey) -> Option<RawValue> {
        self.0.remove(key)
    }

    /// All extensions in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&ExtensionKey, &RawValue)> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One deterministically encoded CBOR value, kept as its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawValue(Vec<u8>);

impl RawValue {
    /// The level a container in an extension's value has: the map of extensions is level 1.
    pub(super) const LEVEL: u32 = 2;

    /// Takes a value another specification encoded.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are not one deterministic CBOR item that an extension may hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("extension", bytes);
        let value = r.value("value", Self::LEVEL)?.to_vec();
        r.finish()?;
        Ok(Self(value))
    }

    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::written(|w| w.text(text))
    }

    /// A byte string.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::written(|w| w.bytes(bytes))
    }

    /// An unsigned integer.
    #[must_use]
    pub fn uint(value: u64) -> Self {
        Self::written(|w| w.uint(value))
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        Reader::new("extension", &self.0).text("value", usize::MAX).ok()
    }

    /// The byte string, if it is one.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        Reader::new("extension", &self.0).bytes("value", usize::MAX).ok()
    }

    /// The unsigned integer, if it is one.
    #[must_use]
    pub fn as_uint(&self) -> Option<u64> {
        Reader::new("extension", &self.0).u64("value").ok()
    }

    /// The value's encoding.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.0
    }

    /// Keeps bytes that [`Reader::value`] returned.
    pub(super) fn read(encoded: &[u8]) -> Self {
        Self(encoded.to_vec())
    }

    fn written(write: impl FnOnce(&mut Writer)) -> Self {
        let mut w = Writer::new();
        write(&mut w);
        Self(w.finish())
    }
}
