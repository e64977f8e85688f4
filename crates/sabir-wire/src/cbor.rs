//! CBOR in the one form MIMI content allows (draft-ietf-mimi-content §6): deterministic serialisation of
//! RFC 8949 §4.2.1 and the data model restrictions on top.
//!
//! `minicbor` takes tokens apart; this module adds what makes an encoding unique: shortest heads, definite
//! lengths, sorted map keys, shortest floats, one NaN. The invariant everything above relies on: **each value
//! has exactly one encoding this module accepts**, so decoding and encoding again gives the same bytes, and a
//! message id may be computed from either.

mod read;
mod value;
mod write;

pub(crate) use read::Reader;
pub(crate) use value::MAX_INT_KEY;
pub(crate) use write::Writer;

/// The texts of [`crate::codec::DecodeErrorKind::Invalid`] for faults of the encoding itself.
pub(crate) mod fault {
    pub(crate) const WRONG_TYPE: &str = "another CBOR type than this field has";
    pub(crate) const INDEFINITE: &str = "indefinite length";
    pub(crate) const NOT_SHORTEST: &str = "not the shortest encoding";
    pub(crate) const MALFORMED: &str = "not well-formed CBOR";
    pub(crate) const OUT_OF_RANGE: &str = "integer out of range";
    pub(crate) const DUPLICATE_KEY: &str = "a map key occurs twice";
    pub(crate) const KEY_TYPE: &str = "a map key of a type that may not be one";
    pub(crate) const KEY_RANGE: &str = "an integer map key beyond 2^53 - 1";
    pub(crate) const NAN: &str = "a NaN other than 0xf97e00";
    pub(crate) const BIGNUM: &str = "a bignum not in its preferred form";
}
