use std::fmt;

use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};

/// Longest URI that is not one of MIMI's identifiers, in bytes: what web servers accept.
pub const MAX_FOREIGN_URI: usize = 2048;

/// Any URI (RFC 3986), for instance an `https` address of a picture.
///
/// ```text
/// struct {
///   opaque uri<V>;
/// } Uri;
/// ```
///
/// Checked are a scheme, a non-empty rest and the characters RFC 3986 allows; what the scheme demands is left
/// to whoever opens it. Where a draft leaves a `Uri` optional without saying how, an empty field stands for
/// none, and the field's type is `Option<Uri>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uri(String);

impl Uri {
    /// Takes a text that has the form of a URI; `None` where it has not.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let mut letters = scheme.bytes();
        let scheme_ok = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
            && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
        if !scheme_ok || rest.is_empty() || text.len() > MAX_FOREIGN_URI || !rest.bytes().all(allowed) {
            return None;
        }
        Some(Self(text.to_owned()))
    }

    /// The URI as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Encode for Uri {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, self.0.as_bytes());
    }
}

impl Decode for Uri {
    const NAME: &'static str = "Uri";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let bytes = r.opaque("uri", MAX_FOREIGN_URI)?;
        let uri = std::str::from_utf8(bytes).ok().and_then(Self::new);
        uri.ok_or_else(|| r.error_at(at, "uri", DecodeErrorKind::BadUri))
    }
}
