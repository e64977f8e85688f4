//! The TLS presentation language as MLS and MIMI use it (RFC 9420 §2.1): big-endian integers, vectors whose
//! length header is a variable-size integer in its shortest form, and `optional<T>`.
//!
//! [`Decode::from_bytes`] refuses trailing bytes. Every error names the structure and field that failed and
//! the offset in the input where it did.

mod error;
mod reader;
#[cfg(test)]
mod tests;
mod write;

pub use error::{DecodeError, DecodeErrorKind};
pub use reader::Reader;
pub use write::{Encode, put_opaque, put_optional, put_varint, put_vec};

/// The largest length a variable-size header can announce: 2^30 − 1 (RFC 9420 §2.1.2).
pub const MAX_VARINT: usize = (1 << 30) - 1;

/// How deeply structures may nest while decoding. MLS needs about ten levels; the bound protects the stack.
pub const MAX_DEPTH: u32 = 32;

/// A structure that can be read from its encoding.
pub trait Decode: Sized {
    /// The structure's name in its specification; it appears in errors.
    const NAME: &'static str;

    /// Reads one value and leaves the reader behind it.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are not the one valid encoding of a value within its bounds.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Reads one value that must fill `bytes` exactly.
    ///
    /// # Errors
    /// As [`Decode::decode`], and [`DecodeErrorKind::TrailingBytes`] where something follows the value.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let value = r.read_as::<Self>("value")?;
        r.finish(Self::NAME)?;
        Ok(value)
    }
}
