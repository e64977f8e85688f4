//! Small pieces that several structures share.

use crate::codec::{Decode, DecodeError, DecodeErrorKind, Reader, put_opaque};

/// Reads `opaque field<V>` into its own buffer.
pub(crate) fn bytes(r: &mut Reader<'_>, field: &'static str, max: usize) -> Result<Vec<u8>, DecodeError> {
    r.opaque(field, max).map(<[u8]>::to_vec)
}

/// Reads UTF-8 without NUL into its own string.
pub(crate) fn text(r: &mut Reader<'_>, field: &'static str, max: usize) -> Result<String, DecodeError> {
    r.text(field, max).map(str::to_owned)
}

/// Writes text as `opaque field<V>`.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_opaque(out, text.as_bytes());
}

/// Writes `bool`.
pub(crate) fn put_flag(out: &mut Vec<u8>, flag: bool) {
    out.push(u8::from(flag));
}

/// Reads a list of byte strings, each of at most `max_item` bytes, at most `max_items` of them.
pub(crate) fn byte_lists(
    r: &mut Reader<'_>,
    field: &'static str,
    max_item: usize,
    max_items: usize,
) -> Result<Vec<Vec<u8>>, DecodeError> {
    let max_bytes = max_item.saturating_add(4).saturating_mul(max_items);
    let mut inner = r.nested(field, max_bytes)?;
    let mut items = Vec::new();
    while !inner.is_empty() {
        if items.len() >= max_items {
            return Err(inner.error(field, DecodeErrorKind::TooLong { max: max_items }));
        }
        items.push(inner.opaque(field, max_item)?.to_vec());
    }
    Ok(items)
}

/// Writes what [`byte_lists`] reads.
pub(crate) fn put_byte_lists(out: &mut Vec<u8>, items: &[Vec<u8>]) {
    let mut content = Vec::new();
    for item in items {
        put_opaque(&mut content, item);
    }
    put_opaque(out, &content);
}

/// [`Decode::from_bytes`] for a structure whose whole size is bounded, which is checked before anything of it
/// is read.
pub(crate) fn from_bounded_bytes<T: Decode>(input: &[u8], max: usize) -> Result<T, DecodeError> {
    check_size(input, T::NAME, max)?;
    let mut r = Reader::new(input);
    let value = r.read_as::<T>("value")?;
    r.finish(T::NAME)?;
    Ok(value)
}

/// Refuses more input than a message of this kind may have.
pub(crate) fn check_size(input: &[u8], structure: &'static str, max: usize) -> Result<(), DecodeError> {
    if input.len() <= max {
        return Ok(());
    }
    Err(DecodeError {
        structure,
        field: "whole",
        offset: 0,
        kind: DecodeErrorKind::TooLong { max },
    })
}
