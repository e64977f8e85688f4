use std::fmt;

/// Why bytes were refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// Name of the structure being read, as in its specification.
    pub structure: &'static str,
    /// Name of the field being read.
    pub field: &'static str,
    /// Offset in the whole input at which the faulty element starts, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub kind: DecodeErrorKind,
}

/// What is wrong with an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends before the element does.
    Truncated,
    /// Bytes follow the outermost structure, or a vector's content does not fill its announced length.
    TrailingBytes,
    /// A length header is not in its shortest form, or uses the reserved prefix `0b11` (RFC 9420 §2.1.2).
    BadLengthHeader,
    /// A vector is longer than this field may be.
    TooLong {
        /// The bound, in the unit of the field (bytes, or elements of a list).
        max: usize,
    },
    /// A vector is shorter than this field must be.
    TooShort {
        /// The bound, in the unit of the field (bytes, or elements of a list).
        min: usize,
    },
    /// An enumeration has a value this field may not have.
    UnknownValue(u64),
    /// Text is not UTF-8, or contains what this field forbids.
    BadText,
    /// An identifier is not a canonical MIMI URI of the kind this field needs.
    BadUri,
    /// Entries are not strictly ascending where order is part of the encoding.
    NotSorted,
    /// Structures nest more deeply than [`super::MAX_DEPTH`].
    TooDeep,
    /// A rule of the structure itself is broken; the text names it.
    Invalid(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} at byte {}: ", self.structure, self.field, self.offset)?;
        match self.kind {
            DecodeErrorKind::Truncated => f.write_str("the input ends too early"),
            DecodeErrorKind::TrailingBytes => f.write_str("bytes are left over"),
            DecodeErrorKind::BadLengthHeader => f.write_str("the length header is not in its shortest form"),
            DecodeErrorKind::TooLong { max } => write!(f, "longer than {max}"),
            DecodeErrorKind::TooShort { min } => write!(f, "shorter than {min}"),
            DecodeErrorKind::UnknownValue(v) => write!(f, "unknown value {v}"),
            DecodeErrorKind::BadText => f.write_str("not valid text"),
            DecodeErrorKind::BadUri => f.write_str("not a canonical MIMI URI of the expected kind"),
            DecodeErrorKind::NotSorted => f.write_str("entries are not strictly ascending"),
            DecodeErrorKind::TooDeep => f.write_str("nested too deeply"),
            DecodeErrorKind::Invalid(rule) => f.write_str(rule),
        }
    }
}

impl std::error::Error for DecodeError {}
