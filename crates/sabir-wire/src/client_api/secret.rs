use std::fmt;

use zeroize::Zeroizing;

/// Bytes that give access to whoever has them: overwritten when dropped, never shown by `Debug`.
///
/// Comparing two of them takes a time that depends on their content. A provider stores and looks up a hash
/// instead, which also keeps the secret out of its database.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for sending or hashing.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}
