use super::MAX_VARINT;

/// A structure that can be written in its one valid encoding.
pub trait Encode {
    /// Appends the encoding to `out`.
    ///
    /// # Panics
    /// Where a vector is longer than [`MAX_VARINT`] bytes: every structure bounds its fields far below, so
    /// that is a fault of the caller and never of its input.
    fn encode(&self, out: &mut Vec<u8>);

    /// The encoding alone.
    ///
    /// # Panics
    /// As [`Encode::encode`].
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// Appends a variable-size length header in its shortest form (RFC 9420 §2.1.2).
///
/// # Panics
/// Where `len` is over [`MAX_VARINT`].
#[allow(
    clippy::cast_possible_truncation,
    reason = "each branch checks the range first"
)]
pub fn put_varint(out: &mut Vec<u8>, len: usize) {
    assert!(len <= MAX_VARINT, "a vector of {len} bytes cannot be encoded");
    if len < 1 << 6 {
        out.push(len as u8);
    } else if len < 1 << 14 {
        out.extend_from_slice(&(0x4000 | len as u16).to_be_bytes());
    } else {
        out.extend_from_slice(&(0x8000_0000 | len as u32).to_be_bytes());
    }
}

/// Appends `opaque bytes<V>`.
///
/// # Panics
/// As [`put_varint`].
pub fn put_opaque(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends `T items<V>`.
///
/// # Panics
/// As [`put_varint`].
pub fn put_vec<'a, T: Encode + 'a>(out: &mut Vec<u8>, items: impl IntoIterator<Item = &'a T>) {
    let mut content = Vec::new();
    for item in items {
        item.encode(&mut content);
    }
    put_opaque(out, &content);
}

/// Appends `optional<T>` (RFC 9420 §2.1.1).
///
/// # Panics
/// As [`Encode::encode`] of the value.
pub fn put_optional<T: Encode>(out: &mut Vec<u8>, value: Option<&T>) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            value.encode(out);
        }
    }
}

macro_rules! integers {
    ($($t:ty, $read:ident, $name:literal);*) => {$(
        impl Encode for $t {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
        impl super::Decode for $t {
            const NAME: &'static str = $name;
            fn decode(r: &mut super::Reader<'_>) -> Result<Self, super::DecodeError> {
                r.$read("value")
            }
        }
    )*};
}

integers!(u8, u8, "uint8"; u16, u16, "uint16"; u32, u32, "uint32"; u64, u64, "uint64");
