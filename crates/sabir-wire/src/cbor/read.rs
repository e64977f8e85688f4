use minicbor::Decoder;
use minicbor::data::Type;

use super::fault;
use crate::codec::{DecodeError, DecodeErrorKind};

/// Walks over deterministic CBOR and remembers which structure is being read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(super) decoder: Decoder<'a>,
    structure: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`, under the name of the outermost structure.
    pub(crate) fn new(structure: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            decoder: Decoder::new(bytes),
            structure,
        }
    }

    /// Offset of the next element in the input, in bytes.
    pub(crate) fn offset(&self) -> usize {
        self.decoder.position()
    }

    /// The input from `from` (an earlier [`Reader::offset`]) to here.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        self.decoder.input().get(from..self.offset()).unwrap_or_default()
    }

    pub(crate) fn error_at(&self, offset: usize, field: &'static str, kind: DecodeErrorKind) -> DecodeError {
        DecodeError {
            structure: self.structure,
            field,
            offset,
            kind,
        }
    }

    pub(crate) fn fault_at(&self, offset: usize, field: &'static str, fault: &'static str) -> DecodeError {
        self.error_at(offset, field, DecodeErrorKind::Invalid(fault))
    }

    /// Reads with errors under the name of a nested structure.
    pub(crate) fn within<T>(
        &mut self,
        structure: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let outer = std::mem::replace(&mut self.structure, structure);
        let result = read(self);
        self.structure = outer;
        result
    }

    /// Refuses whatever is left.
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.offset() == self.decoder.input().len() {
            return Ok(());
        }
        Err(self.error_at(self.offset(), "end", DecodeErrorKind::TrailingBytes))
    }

    /// The type of the next element; indefinite lengths are refused here, for every type.
    pub(super) fn next_type(&self, field: &'static str) -> Result<Type, DecodeError> {
        match self.decoder.datatype() {
            Ok(Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef) => {
                Err(self.fault_at(self.offset(), field, fault::INDEFINITE))
            }
            Ok(Type::Unknown(_) | Type::Break) => Err(self.fault_at(self.offset(), field, fault::MALFORMED)),
            Ok(other) => Ok(other),
            Err(_) => Err(self.error_at(self.offset(), field, DecodeErrorKind::Truncated)),
        }
    }

    fn expect(&self, field: &'static str, matches: fn(Type) -> bool) -> Result<usize, DecodeError> {
        if matches(self.next_type(field)?) {
            Ok(self.offset())
        } else {
            Err(self.fault_at(self.offset(), field, fault::WRONG_TYPE))
        }
    }

    /// A failure of the token parser after the type was seen to be right.
    pub(super) fn token(
        &self,
        at: usize,
        field: &'static str,
    ) -> impl FnOnce(minicbor::decode::Error) -> DecodeError {
        let truncated = self.error_at(at, field, DecodeErrorKind::Truncated);
        let malformed = self.fault_at(at, field, fault::MALFORMED);
        move |error| {
            if error.is_end_of_input() {
                truncated
            } else {
                malformed
            }
        }
    }

    /// Refuses a head that could be shorter. `argument` is what the head announced, `payload` the bytes read
    /// behind it (RFC 8949 §4.2.1).
    pub(super) fn shortest(
        &self,
        at: usize,
        field: &'static str,
        argument: u64,
        payload: usize,
    ) -> Result<(), DecodeError> {
        let head = match argument {
            0..=0x17 => 1,
            0x18..=0xff => 2,
            0x100..=0xffff => 3,
            0x1_0000..=0xffff_ffff => 5,
            _ => 9,
        };
        if self.offset().saturating_sub(at).saturating_sub(payload) == head {
            return Ok(());
        }
        Err(self.fault_at(at, field, fault::NOT_SHORTEST))
    }

    /// An unsigned integer of at most `max`; larger ones are [`fault::OUT_OF_RANGE`].
    pub(crate) fn uint(&mut self, field: &'static str, max: u64) -> Result<u64, DecodeError> {
        let at = self.expect(field, |t| {
            matches!(t, Type::U8 | Type::U16 | Type::U32 | Type::U64)
        })?;
        let value = self.decoder.u64().map_err(self.token(at, field))?;
        self.shortest(at, field, value, 0)?;
        if value > max {
            return Err(self.fault_at(at, field, fault::OUT_OF_RANGE));
        }
        Ok(value)
    }

    /// `uint .size 1`.
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let at = self.offset();
        let value = self.uint(field, u8::MAX.into())?;
        u8::try_from(value).map_err(|_| self.fault_at(at, field, fault::OUT_OF_RANGE))
    }

    /// `uint .size 2`.
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        let at = self.offset();
        let value = self.uint(field, u16::MAX.into())?;
        u16::try_from(value).map_err(|_| self.fault_at(at, field, fault::OUT_OF_RANGE))
    }

    /// `uint .size 4`.
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let at = self.offset();
        let value = self.uint(field, u32::MAX.into())?;
        u32::try_from(value).map_err(|_| self.fault_at(at, field, fault::OUT_OF_RANGE))
    }

    /// `uint .size 8`.
    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.uint(field, u64::MAX)
    }

    /// Any integer CBOR can express.
    pub(crate) fn int(&mut self, field: &'static str) -> Result<i128, DecodeError> {
        let at = self.expect(field, is_int)?;
        let value = i128::from(self.decoder.int().map_err(self.token(at, field))?);
        let argument = if value < 0 { !value } else { value };
        let argument = u64::try_from(argument).map_err(|_| self.fault_at(at, field, fault::OUT_OF_RANGE))?;
        self.shortest(at, field, argument, 0)?;
        Ok(value)
    }

    /// `bool`.
    pub(crate) fn boolean(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        let at = self.expect(field, |t| t == Type::Bool)?;
        self.decoder.bool().map_err(self.token(at, field))
    }

    /// Whether the next element is `null`; if so it is read.
    pub(crate) fn null(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        if self.next_type(field)? != Type::Null {
            return Ok(false);
        }
        let at = self.offset();
        self.decoder.null().map_err(self.token(at, field))?;
        Ok(true)
    }

    /// `bstr` of at most `max` bytes.
    pub(crate) fn bytes(&mut self, field: &'static str, max: usize) -> Result<&'a [u8], DecodeError> {
        let at = self.expect(field, |t| t == Type::Bytes)?;
        let value = self.decoder.bytes().map_err(self.token(at, field))?;
        self.string(at, field, value.len(), max)?;
        Ok(value)
    }

    /// `bstr .size N`.
    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let at = self.offset();
        let value = self.bytes(field, N)?;
        <[u8; N]>::try_from(value).map_err(|_| self.error_at(at, field, DecodeErrorKind::TooShort { min: N }))
    }

    /// `tstr` of at most `max` bytes of UTF-8.
    pub(crate) fn text(&mut self, field: &'static str, max: usize) -> Result<&'a str, DecodeError> {
        let at = self.expect(field, |t| t == Type::String)?;
        let bad_text = self.error_at(at, field, DecodeErrorKind::BadText);
        let truncated = self.error_at(at, field, DecodeErrorKind::Truncated);
        let value = self.decoder.str().map_err(|error| {
            if error.is_end_of_input() {
                truncated
            } else {
                bad_text
            }
        })?;
        self.string(at, field, value.len(), max)?;
        Ok(value)
    }

    /// The checks both kinds of strings share.
    fn string(&self, at: usize, field: &'static str, len: usize, max: usize) -> Result<(), DecodeError> {
        self.shortest(at, field, u64::try_from(len).unwrap_or(u64::MAX), len)?;
        if len > max {
            return Err(self.error_at(at, field, DecodeErrorKind::TooLong { max }));
        }
        Ok(())
    }

    /// The head of an array: how many elements follow.
    pub(crate) fn array_head(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let at = self.expect(field, |t| t == Type::Array)?;
        let count = self.decoder.array().map_err(self.token(at, field))?;
        let count = count.ok_or_else(|| self.fault_at(at, field, fault::INDEFINITE))?;
        self.shortest(at, field, count, 0)?;
        Ok(count)
    }

    /// The head of an array that must have `count` elements.
    pub(crate) fn array_of(&mut self, field: &'static str, count: usize) -> Result<(), DecodeError> {
        let at = self.offset();
        let got = self.array_head(field)?;
        self.check_count(at, field, got, count)
    }

    /// Compares an array's announced length with what its structure has.
    pub(crate) fn check_count(
        &self,
        at: usize,
        field: &'static str,
        got: u64,
        count: usize,
    ) -> Result<(), DecodeError> {
        let kind = match usize::try_from(got).unwrap_or(usize::MAX).cmp(&count) {
            std::cmp::Ordering::Equal => return Ok(()),
            std::cmp::Ordering::Less => DecodeErrorKind::TooShort { min: count },
            std::cmp::Ordering::Greater => DecodeErrorKind::TooLong { max: count },
        };
        Err(self.error_at(at, field, kind))
    }

    /// The head of a map: how many pairs follow.
    pub(crate) fn map_head(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let at = self.expect(field, |t| t == Type::Map)?;
        let count = self.decoder.map().map_err(self.token(at, field))?;
        let count = count.ok_or_else(|| self.fault_at(at, field, fault::INDEFINITE))?;
        self.shortest(at, field, count, 0)?;
        Ok(count)
    }

    /// A tag, whose content follows.
    pub(crate) fn tag(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let at = self.expect(field, |t| t == Type::Tag)?;
        let tag = self.decoder.tag().map_err(self.token(at, field))?.as_u64();
        self.shortest(at, field, tag, 0)?;
        Ok(tag)
    }

    /// Whether the next element is a tag.
    pub(crate) fn at_tag(&self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.next_type(field)? == Type::Tag)
    }

    /// Whether the next element is an integer.
    pub(crate) fn at_int(&self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(is_int(self.next_type(field)?))
    }

    /// Whether the next element is a map.
    pub(crate) fn at_map(&self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.next_type(field)? == Type::Map)
    }

    /// Whether the next element is text.
    pub(crate) fn at_text(&self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.next_type(field)? == Type::String)
    }
}

pub(super) fn is_int(t: Type) -> bool {
    matches!(
        t,
        Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int
    )
}
