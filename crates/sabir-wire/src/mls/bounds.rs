//! How long each field may be. MLS itself only has the 2^30 − 1 of the length header. What a list may cost is
//! bounded in entries too, for an entry can take one byte on the wire and fifty in memory: with these bounds a
//! message costs at most some 25 times its own size, in a tree whose credentials are chains of empty certificates.

use crate::codec::{Decode, DecodeError, DecodeErrorKind, Reader};

/// Bytes of the vectors that carry a whole message: a ciphertext, an encrypted GroupInfo, a ratchet tree. A
/// tree of 20,000 leaves of 400 bytes fits; a request body holds few of these.
pub const MAX_MESSAGE: usize = 8 << 20;

/// Bytes of a group id, a KeyPackageRef, a ProposalRef or a PSK id. A MIMI group id is a URI well below this.
pub const MAX_ID: usize = 1 << 10;

/// Bytes of a public key: the largest in sight, ML-DSA-87 and ML-KEM-1024 with a curve point, have under 3 KiB.
pub const MAX_KEY: usize = 4 << 10;

/// Bytes of a signature: ML-DSA-87 has 4,627.
pub const MAX_SIGNATURE: usize = 8 << 10;

/// Bytes of a hash, a MAC or a nonce: no hash has more than 64.
pub const MAX_HASH: usize = 255;

/// Bytes of a credential's content: a chain of some certificates.
pub const MAX_CREDENTIAL: usize = 64 << 10;

/// Certificates in a chain: a client, its provider, and room for intermediates. An entry may be empty on the
/// wire, so bytes alone would not bound what it costs.
pub const MAX_CERTIFICATES: usize = 16;

/// Bytes of a list of code points: 1,024 of them, more than any registry and its GREASE values.
pub const MAX_CODE_POINTS: usize = 2 << 10;

/// Bytes of the data of one extension or component: the participant list of a large room, 10,000 entries of
/// 100 bytes, is the longest. A ratchet tree inside a GroupInfo is the exception, see [`MAX_EXTENSIONS_BYTES`].
pub const MAX_COMPONENT: usize = 1 << 20;

/// Bytes of a list of extensions, and so of one extension: a GroupInfo may carry the tree as an extension.
pub const MAX_EXTENSIONS_BYTES: usize = MAX_MESSAGE;

/// Entries of a list of extensions, or of an `app_data_dictionary`: about 20 of each are defined, GREASE adds
/// some. An entry may take three bytes on the wire, so bytes alone would not bound what it costs.
pub const MAX_ENTRIES: usize = 256;

/// Bytes of `authenticated_data`: a frank and small components.
pub const MAX_AUTHENTICATED_DATA: usize = 64 << 10;

/// Entries of a Commit's proposals or a Welcome's secrets: every device of a large room added at once.
pub const MAX_PROPOSALS: usize = 16_384;

/// Leaves of a tree, and ciphertexts of an UpdatePath: those of all its nodes go to distinct leaves' ancestors.
/// Blank nodes take one byte on the wire and sixteen here, so bytes alone would not bound it.
pub const MAX_LEAVES: usize = 1 << 16;

/// Nodes of a tree: 2n − 1 for n leaves (RFC 9420 Appendix C).
pub const MAX_NODES: usize = 2 * MAX_LEAVES - 1;

/// Bytes of a parent's list of unmerged leaves: four for each leaf of the tree.
pub const MAX_UNMERGED: usize = 4 * MAX_LEAVES;

/// Nodes of an UpdatePath: one per level of a tree, the deepest of which has 32-bit leaf indices.
pub const MAX_PATH: usize = 32;

/// `T field<V>` of at most `max_bytes` and `max_items`.
pub(super) fn bounded_list<T: Decode>(
    r: &mut Reader<'_>,
    field: &'static str,
    max_bytes: usize,
    max_items: usize,
) -> Result<Vec<T>, DecodeError> {
    let mut inner = r.nested(field, max_bytes)?;
    let mut items = Vec::new();
    while !inner.is_empty() {
        if items.len() >= max_items {
            return Err(inner.error(field, DecodeErrorKind::TooLong { max: max_items }));
        }
        items.push(inner.read_as(field)?);
    }
    Ok(items)
}

/// `T field<V>` whose keys must be strictly ascending, of at most `max_bytes` and [`MAX_ENTRIES`].
pub(super) fn sorted_list<T: Decode, K: Ord>(
    r: &mut Reader<'_>,
    field: &'static str,
    max_bytes: usize,
    key: impl Fn(&T) -> K,
) -> Result<Vec<T>, DecodeError> {
    let mut inner = r.nested(field, max_bytes)?;
    let mut items: Vec<T> = Vec::new();
    while !inner.is_empty() {
        if items.len() >= MAX_ENTRIES {
            return Err(inner.error(field, DecodeErrorKind::TooLong { max: MAX_ENTRIES }));
        }
        let at = inner.offset();
        let item: T = inner.read_as(field)?;
        if items.last().is_some_and(|last| key(last) >= key(&item)) {
            return Err(inner.error_at(at, field, DecodeErrorKind::NotSorted));
        }
        items.push(item);
    }
    Ok(items)
}
