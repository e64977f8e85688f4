use std::fmt;

use sha2::{Digest, Sha256};

/// The random bytes of one message (draft-ietf-mimi-content §4.1, §9.2).
///
/// They are the key of the franking tag, so [`fmt::Debug`] does not show them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// A hash function of the IANA "Named Information Hash Algorithm" registry; 0 where there is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashAlgorithm(pub u8);

impl HashAlgorithm {
    /// No hash is given.
    pub const NONE: Self = Self(0);
    /// SHA-256, the only one message ids are made with (draft-ietf-mimi-content §3.3).
    pub const SHA256: Self = Self(1);
}

/// Names one version of one message: an octet for the hash function and 31 octets of hash
/// (draft-ietf-mimi-content §3.3).
///
/// Ids order as their bytes do, which is how messages accepted at the same time are sorted
/// (draft-ietf-mimi-content §5.11).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 32]);

/// A URI does not fit the 16-bit length that message ids are computed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a uri of {0} bytes is too long for a message id")]
pub struct UriTooLong(pub usize);

impl MessageId {
    /// Takes the bytes of an id; `None` where the hash function is not SHA-256, which makes the id nonsense
    /// (draft-ietf-mimi-content §9.1).
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Option<Self> {
        (bytes.first() == Some(&HashAlgorithm::SHA256.0)).then_some(Self(bytes))
    }

    /// The id of an encoded message with this `salt`, sent by `sender_uri` to `room_uri`.
    ///
    /// ```text
    /// hash_output = SHA-256( senderUriLength || senderUri || roomUriLength || roomUri || message || salt )
    /// messageId   = 0x01 || hash_output[0..30]
    /// ```
    ///
    /// # Errors
    /// [`UriTooLong`] where a URI is longer than 65,535 bytes.
    pub fn compute(
        sender_uri: &str,
        room_uri: &str,
        message: &[u8],
        salt: &Salt,
    ) -> Result<Self, UriTooLong> {
        let mut hash = Sha256::new();
        for uri in [sender_uri, room_uri] {
            let len = u16::try_from(uri.len()).map_err(|_| UriTooLong(uri.len()))?;
            hash.update(len.to_be_bytes());
            hash.update(uri);
        }
        hash.update(message);
        hash.update(salt.0);
        let output = hash.finalize();
        let mut id = [0; 32];
        for (to, from) in id
            .iter_mut()
            .zip([HashAlgorithm::SHA256.0].iter().chain(output.iter()))
        {
            *to = *from;
        }
        Ok(Self(id))
    }

    /// All 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}
