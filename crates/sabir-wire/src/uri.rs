//! `mimi://` identifiers, strict and canonical.
//!
//! ```text
//! mimi://a.example               a provider
//! mimi://a.example/u/alice       a user
//! mimi://a.example/d/ClientA1    a client (a device)
//! mimi://a.example/r/clubhouse   a room
//! mimi://a.example/g/clubhouse   an MLS group
//! ```
//!
//! The draft calls these forms notional (draft-ietf-mimi-protocol-06 §3) and says nothing about comparison.
//! Here every identifier has exactly one spelling, so that comparing bytes compares identities: scheme and
//! authority in lower case, no user information, port, query or fragment, and in the name a character is
//! percent-encoded exactly where RFC 3986 does not let it stand for itself. Anything else is refused, never
//! repaired. The name keeps its case.
//!
//! People type addresses (`bob@b.example`): [`UserUri::from_address`] reads those.

mod domain;
mod error;
mod named;
mod percent;
#[cfg(test)]
mod tests;

pub use domain::Domain;
pub use error::UriError;
pub use named::{ClientUri, GroupUri, MAX_URI, MimiUri, ProviderUri, RoomUri, UserUri};
pub(crate) use percent::{decode_segment, encode_segment};

use crate::codec::{Decode, DecodeError, Reader, put_opaque};

/// Reads an `IdentifierUri` that may be absent, which the wire writes as an empty `uri` field. The draft
/// leaves open how a request outside a room spells its `roomId`; this is our reading of
/// draft-ietf-mimi-protocol-06 §5.2.
pub(crate) fn read_or_empty<T: Decode>(
    r: &mut Reader<'_>,
    field: &'static str,
) -> Result<Option<T>, DecodeError> {
    let mut ahead = r.clone();
    if ahead.opaque(field, MAX_URI).is_ok_and(<[u8]>::is_empty) {
        *r = ahead;
        return Ok(None);
    }
    r.read_as(field).map(Some)
}

/// Writes what [`read_or_empty`] reads.
pub(crate) fn put_or_empty<T: crate::codec::Encode>(out: &mut Vec<u8>, value: Option<&T>) {
    match value {
        None => put_opaque(out, &[]),
        Some(value) => value.encode(out),
    }
}
