use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::UriError;

/// Longest host name in presentation form (RFC 1035 §2.3.4 less the root label).
const MAX_DOMAIN: usize = 253;
/// Longest label of a host name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A provider's domain: a lower-case host name of letters, digits and inner hyphens, internationalised labels
/// in their `xn--` form, no port, no trailing dot, and never an IP address.
///
/// Bounds: 253 bytes in all, 63 per label. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Reads a domain in its one accepted form.
    ///
    /// # Errors
    /// [`UriError::Authority`].
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.is_empty() || text.len() > MAX_DOMAIN || !text.split('.').all(is_label) {
            return Err(UriError::Authority);
        }
        // A host whose last label is a number is an IPv4 address in disguise.
        if text.rsplit('.').next().is_none_or(is_number) {
            return Err(UriError::Authority);
        }
        Ok(Self(text.into()))
    }

    /// The host name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let ldh = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    if bytes.is_empty() || bytes.len() > MAX_LABEL || !bytes.iter().all(ldh) {
        return false;
    }
    if bytes.starts_with(b"-") || bytes.ends_with(b"-") {
        return false;
    }
    // Hyphens in third and fourth place are reserved; only A-labels use them (RFC 5890 §2.3.1).
    bytes.get(2..4) != Some(b"--") || bytes.starts_with(b"xn--")
}

fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x");
    hex.map_or_else(
        || label.bytes().all(|b| b.is_ascii_digit()),
        |digits| digits.bytes().all(|b| b.is_ascii_hexdigit()),
    )
}

impl FromStr for Domain {
    type Err = UriError;
    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Domain {
    type Error = UriError;
    fn try_from(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl AsRef<str> for Domain {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({self})")
    }
}
