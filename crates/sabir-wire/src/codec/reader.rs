use super::{Decode, DecodeError, DecodeErrorKind, MAX_DEPTH};

/// Walks over an encoding and remembers which structure is being read.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    pos: usize,
    base: usize,
    structure: &'static str,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            pos: 0,
            base: 0,
            structure: "input",
            depth: 0,
        }
    }

    /// Offset in the whole input, in bytes.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.base.saturating_add(self.pos)
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.pos)
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The bytes between two offsets of this reader's own slice that were already read, for signatures over
    /// the exact input. `from` is a value of [`Reader::mark`].
    #[must_use]
    pub fn since(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..self.pos).unwrap_or_default()
    }

    /// A position for [`Reader::since`].
    #[must_use]
    pub fn mark(&self) -> usize {
        self.pos
    }

    /// An error at the current position, or at `offset` where the faulty element started earlier.
    #[must_use]
    pub fn error(&self, field: &'static str, kind: DecodeErrorKind) -> DecodeError {
        self.error_at(self.offset(), field, kind)
    }

    /// An error at `offset` (a value of [`Reader::offset`]).
    #[must_use]
    pub fn error_at(&self, offset: usize, field: &'static str, kind: DecodeErrorKind) -> DecodeError {
        DecodeError {
            structure: self.structure,
            field,
            offset,
            kind,
        }
    }

    /// Reads a nested structure under its own name.
    ///
    /// # Errors
    /// Those of the structure, and [`DecodeErrorKind::TooDeep`].
    pub fn read_as<T: Decode>(&mut self, field: &'static str) -> Result<T, DecodeError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(field, DecodeErrorKind::TooDeep));
        }
        let outer = std::mem::replace(&mut self.structure, T::NAME);
        self.depth = self.depth.saturating_add(1);
        let value = T::decode(self);
        self.depth = self.depth.saturating_sub(1);
        self.structure = outer;
        value
    }

    /// The next `n` bytes, without a header.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    pub fn take(&mut self, field: &'static str, n: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.pos.checked_add(n);
        let Some(part) = end.and_then(|end| self.bytes.get(self.pos..end)) else {
            return Err(self.error(field, DecodeErrorKind::Truncated));
        };
        self.pos = self.pos.saturating_add(n);
        Ok(part)
    }

    /// The next `N` bytes as an array, without a header.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let at = self.offset();
        let part = self.take(field, N)?;
        <[u8; N]>::try_from(part).map_err(|_| self.error_at(at, field, DecodeErrorKind::Truncated))
    }

    /// `uint8`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(field)?))
    }

    /// `uint16`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    /// `uint32`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    /// `uint64`.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`].
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }

    /// The presence octet of `optional<T>` (RFC 9420 §2.1.1), or a boolean: 0 or 1.
    ///
    /// # Errors
    /// [`DecodeErrorKind::UnknownValue`] for anything else.
    pub fn flag(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        let at = self.offset();
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error_at(at, field, DecodeErrorKind::UnknownValue(other.into()))),
        }
    }

    /// `optional<T>`.
    ///
    /// # Errors
    /// Those of the presence octet and of the structure.
    pub fn optional<T: Decode>(&mut self, field: &'static str) -> Result<Option<T>, DecodeError> {
        if self.flag(field)? {
            self.read_as(field).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A variable-size length header (RFC 9420 §2.1.2), shortest form only.
    ///
    /// # Errors
    /// [`DecodeErrorKind::BadLengthHeader`].
    pub fn varint(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let at = self.offset();
        let first = self.u8(field)?;
        let (len, min) = match first >> 6 {
            0 => return Ok(usize::from(first)),
            1 => (2_usize, 1_usize << 6),
            2 => (4, 1 << 14),
            _ => return Err(self.error_at(at, field, DecodeErrorKind::BadLengthHeader)),
        };
        let mut value = usize::from(first & 0x3f);
        for _ in 1..len {
            value = (value << 8) | usize::from(self.u8(field)?);
        }
        if value < min {
            return Err(self.error_at(at, field, DecodeErrorKind::BadLengthHeader));
        }
        Ok(value)
    }

    /// `opaque field<V>` of at most `max` bytes.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TooLong`], or those of the header.
    pub fn opaque(&mut self, field: &'static str, max: usize) -> Result<&'a [u8], DecodeError> {
        let at = self.offset();
        let len = self.varint(field)?;
        if len > max {
            return Err(self.error_at(at, field, DecodeErrorKind::TooLong { max }));
        }
        self.take(field, len)
    }

    /// `opaque field<V>` that holds UTF-8 without NUL, at most `max` bytes.
    ///
    /// # Errors
    /// [`DecodeErrorKind::BadText`], or those of [`Reader::opaque`].
    pub fn text(&mut self, field: &'static str, max: usize) -> Result<&'a str, DecodeError> {
        let at = self.offset();
        let bytes = self.opaque(field, max)?;
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(text),
            _ => Err(self.error_at(at, field, DecodeErrorKind::BadText)),
        }
    }

    /// A reader over the content of the next `<V>` vector of at most `max_bytes`, under the same structure's
    /// name. The caller must end it with [`Reader::finish`].
    ///
    /// # Errors
    /// Those of [`Reader::opaque`].
    pub fn nested(&mut self, field: &'static str, max_bytes: usize) -> Result<Reader<'a>, DecodeError> {
        let content = self.opaque(field, max_bytes)?;
        Ok(Reader {
            bytes: content,
            pos: 0,
            base: self.offset().saturating_sub(content.len()),
            structure: self.structure,
            depth: self.depth,
        })
    }

    /// `T field<V>`: a list of structures of at most `max_bytes` together.
    ///
    /// # Errors
    /// Those of the header and of the elements.
    pub fn list<T: Decode>(&mut self, field: &'static str, max_bytes: usize) -> Result<Vec<T>, DecodeError> {
        let mut inner = self.nested(field, max_bytes)?;
        let mut items = Vec::new();
        while !inner.is_empty() {
            items.push(inner.read_as(field)?);
        }
        Ok(items)
    }

    /// Refuses whatever is left.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TrailingBytes`].
    pub fn finish(&self, structure: &'static str) -> Result<(), DecodeError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(DecodeError {
            structure,
            field: "end",
            offset: self.offset(),
            kind: DecodeErrorKind::TrailingBytes,
        })
    }
}
