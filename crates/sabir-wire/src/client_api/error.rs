use std::fmt;

use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::field;

/// Bytes of an error's text.
const MAX_TEXT: usize = 4 << 10;

macro_rules! codes {
    ($($(#[$doc:meta])* $item:ident = $value:literal, $text:literal, $status:literal;)*) => {
        impl ApiErrorCode {
            $($(#[$doc])* pub const $item: Self = Self($value);)*

            /// The registered name, `None` for a value not known here.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }

            /// The HTTP status it travels with; 500 for a value not known here.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self.0 {
                    $($value => $status,)*
                    _ => 500,
                }
            }
        }
    };
}

/// Why a request to the client API failed. Unknown values survive a round trip; a client treats them by the HTTP
/// status.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiErrorCode(pub u16);

codes! {
    /// No token, a token nobody knows, or a sign-in that does not verify.
    UNAUTHORIZED = 1, "unauthorized", 401;
    /// The token was good; sign in again.
    TOKEN_EXPIRED = 2, "tokenExpired", 401;
    /// The request is not the encoding of its structure.
    MALFORMED = 3, "malformed", 400;
    /// The body is longer than its structure may be.
    TOO_LARGE = 4, "tooLarge", 413;
    /// There is no such thing, or the device may not know of it.
    NOT_FOUND = 5, "notFound", 404;
    /// The device may not do this.
    FORBIDDEN = 6, "forbidden", 403;
    /// The request contradicts what the provider has.
    CONFLICT = 7, "conflict", 409;
    /// Too many requests; the header `Retry-After` says when to come back.
    RATE_LIMITED = 8, "rateLimited", 429;
    /// The provider, or the one it must ask, cannot answer now; repeat the same bytes later.
    UNAVAILABLE = 9, "unavailable", 503;
    /// A fault of the provider.
    INTERNAL = 10, "internal", 500;
    /// The range does not begin within the file.
    RANGE = 11, "rangeNotSatisfiable", 416;
}

impl fmt::Display for ApiErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl fmt::Debug for ApiErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The body of every answer outside 2xx.
///
/// ```text
/// struct {
///     uint16 code;
///     opaque text<V>;
/// } ApiError;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct ApiError {
    /// What went wrong.
    pub code: ApiErrorCode,
    /// For developers; names no user; may be empty. At most 4 KiB.
    pub text: String,
}

impl Encode for ApiError {
    fn encode(&self, out: &mut Vec<u8>) {
        self.code.0.encode(out);
        field::put_text(out, &self.text);
    }
}

impl Decode for ApiError {
    const NAME: &'static str = "ApiError";

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            code: ApiErrorCode(r.u16("code")?),
            text: field::text(r, "text", MAX_TEXT)?,
        })
    }
}
