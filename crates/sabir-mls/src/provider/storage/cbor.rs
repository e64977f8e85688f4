//! Values as CBOR, written in one pass.
//!
//! OpenMLS serialises most keys, hashes and certificates as sequences of `u8`, which CBOR would spell number by
//! number. Here they are byte strings under tag 64 ([packed](super::packed) reads them back), recognised by their first
//! element, so a tree of megabytes costs about as much as copying it.
//!
//! The writer also says where the elements of long lists end, so that a large value can be kept in pieces of which
//! few change ([pieces](super::pieces)).

use std::fmt;

use serde::ser::{self, Impossible, Serialize};

use super::packed::{ARRAY, BYTES, Head, MAP, TEXT, UINT8_ARRAY};
use super::pieces::Touched;

/// A sequence shorter than this is written as an array whatever it holds: the tag would cost more than it saves.
const MIN_BYTES: usize = 3;

/// The lists whose elements are told apart: those within this many structures, and in no other list.
const LIST_DEPTH: usize = 2;

/// A value's encoding.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// The lists within the outermost two structures, in order: where each begins and where each of its elements ends.
    pub(super) lists: Vec<List>,
}

/// Where a list's elements are.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Where the first element begins.
    pub(super) start: usize,
    /// Where each element ends.
    pub(super) ends: Vec<usize>,
}

/// Encodes `value` behind the bytes of `before`; `None` where it cannot be: CBOR has no form for it, or its own
/// `Serialize` refuses.
/// The encoding is expected to have about `expected` bytes. Elements of lists that are spared by `touched` are left out.
pub(super) fn encode<V: Serialize + ?Sized>(
    before: &[u8],
    value: &V,
    expected: usize,
    touched: Option<&Touched>,
) -> Option<Encoded> {
    let mut bytes = Vec::with_capacity(before.len().saturating_add(expected));
    bytes.extend_from_slice(before);
    let mut writer = Writer {
        encoded: Encoded {
            bytes,
            lists: Vec::new(),
        },
        depth: 0,
        touched,
    };
    value.serialize(&mut writer).ok()?;
    Some(writer.encoded)
}

/// Why a value is not written. Nobody reads more than that it happened.
#[derive(Debug)]
pub(super) struct Unwritable;

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value has no encoding")
    }
}

impl std::error::Error for Unwritable {}

impl ser::Error for Unwritable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Written = Result<(), Unwritable>;

struct Writer<'t> {
    encoded: Encoded,
    /// How many structures and lists are open.
    depth: usize,
    touched: Option<&'t Touched>,
}

/// Major types of RFC 8949 §3.1 that only this side writes.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;

/// Simple values, and the ends of RFC 8949 §3.2.1.
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const OPEN_ARRAY: u8 = 0x9f;
const OPEN_MAP: u8 = 0xbf;
const BREAK: u8 = 0xff;

impl Writer<'_> {
    fn head(&mut self, major: u8, argument: u64) {
        Head { major, argument }.write(&mut self.encoded.bytes);
    }

    fn len(&mut self, major: u8, len: usize) -> Written {
        self.head(major, u64::try_from(len).map_err(|_| Unwritable)?);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Written {
        self.len(TEXT, text.len())?;
        self.encoded.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn variant(&mut self, name: &str) -> Written {
        self.head(MAP, 1);
        self.text(name)
    }
}

impl<'a, 't> ser::Serializer for &'a mut Writer<'t> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Sequence<'a, 't>;
    type SerializeTuple = Sequence<'a, 't>;
    type SerializeTupleStruct = Sequence<'a, 't>;
    type SerializeTupleVariant = Sequence<'a, 't>;
    type SerializeMap = Entries<'a, 't>;
    type SerializeStruct = Entries<'a, 't>;
    type SerializeStructVariant = Entries<'a, 't>;

    fn serialize_bool(self, v: bool) -> Written {
        self.encoded.bytes.push(if v { TRUE } else { FALSE });
        Ok(())
    }

    fn serialize_i8(self, v: i8) -> Written {
        self.serialize_i64(v.into())
    }

    fn serialize_i16(self, v: i16) -> Written {
        self.serialize_i64(v.into())
    }

    fn serialize_i32(self, v: i32) -> Written {
        self.serialize_i64(v.into())
    }

    fn serialize_i64(self, v: i64) -> Written {
        // RFC 8949 §3.1: a negative number n is written as -1 - n, which is its complement.
        match u64::try_from(v) {
            Ok(v) => self.head(UNSIGNED, v),
            Err(_) => self.head(NEGATIVE, v.unsigned_abs().saturating_sub(1)),
        }
        Ok(())
    }

    fn serialize_u8(self, v: u8) -> Written {
        self.serialize_u64(v.into())
    }

    fn serialize_u16(self, v: u16) -> Written {
        self.serialize_u64(v.into())
    }

    fn serialize_u32(self, v: u32) -> Written {
        self.serialize_u64(v.into())
    }

    fn serialize_u64(self, v: u64) -> Written {
        self.head(UNSIGNED, v);
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Written {
        Err(Unwritable)
    }

    fn serialize_f64(self, _: f64) -> Written {
        Err(Unwritable)
    }

    fn serialize_char(self, v: char) -> Written {
        self.serialize_u32(v.into())
    }

    fn serialize_str(self, v: &str) -> Written {
        self.text(v)
    }

    fn serialize_bytes(self, v: &[u8]) -> Written {
        self.len(BYTES, v.len())?;
        self.encoded.bytes.extend_from_slice(v);
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.encoded.bytes.push(NULL);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.head(ARRAY, 0);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.variant(variant)?;
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Sequence<'a, 't>, Unwritable> {
        if let Some(len) = len {
            self.encoded.bytes.reserve(len);
        }
        Ok(Sequence {
            writer: self,
            len,
            kind: Kind::Unknown,
        })
    }

    fn serialize_tuple(self, len: usize) -> Result<Sequence<'a, 't>, Unwritable> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Sequence<'a, 't>, Unwritable> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Sequence<'a, 't>, Unwritable> {
        self.variant(variant)?;
        self.serialize_seq(Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries<'a, 't>, Unwritable> {
        match len {
            Some(len) => self.len(MAP, len)?,
            None => self.encoded.bytes.push(OPEN_MAP),
        }
        self.depth = self.depth.saturating_add(1);
        Ok(Entries {
            writer: self,
            open: len.is_none(),
        })
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Entries<'a, 't>, Unwritable> {
        self.serialize_map(Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Entries<'a, 't>, Unwritable> {
        self.variant(variant)?;
        self.serialize_map(Some(len))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// A sequence that is being written.
struct Sequence<'a, 't> {
    writer: &'a mut Writer<'t>,
    len: Option<usize>,
    kind: Kind,
}

/// What a sequence turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has no element yet, and no head.
    Unknown,
    /// A byte string.
    Bytes,
    /// An array.
    Items,
    /// An array whose elements are told apart: the list at this place.
    List(usize),
}

impl Sequence<'_, '_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        match self.kind {
            Kind::Bytes => {
                let byte = value.serialize(Byte)?;
                self.writer.encoded.bytes.push(byte);
                Ok(())
            }
            Kind::Items => value.serialize(&mut *self.writer),
            Kind::List(place) => {
                let list = self.writer.encoded.lists.get(place).ok_or(Unwritable)?;
                let element = list.ends.len();
                let touched = self.writer.touched;
                if !touched.is_some_and(|touched| touched.spares(place, self.len, element)) {
                    value.serialize(&mut *self.writer)?;
                }
                let end = self.writer.encoded.bytes.len();
                let list = self.writer.encoded.lists.get_mut(place).ok_or(Unwritable)?;
                list.ends.push(end);
                Ok(())
            }
            Kind::Unknown => {
                self.begin(value)?;
                self.element(value)
            }
        }
    }

    /// Writes the head, as the first element demands it.
    fn begin<T: Serialize + ?Sized>(&mut self, first: &T) -> Written {
        if let Some(len) = self.len.filter(|len| *len >= MIN_BYTES)
            && first.serialize(Byte).is_ok()
        {
            self.writer.encoded.bytes.extend_from_slice(&UINT8_ARRAY);
            self.kind = Kind::Bytes;
            return self.writer.len(BYTES, len);
        }
        self.array()?;
        self.kind = Kind::Items;
        if self.writer.depth == LIST_DEPTH {
            let encoded = &mut self.writer.encoded;
            self.kind = Kind::List(encoded.lists.len());
            encoded.lists.push(List {
                start: encoded.bytes.len(),
                ends: Vec::new(),
            });
        }
        self.writer.depth = self.writer.depth.saturating_add(1);
        Ok(())
    }

    fn array(&mut self) -> Written {
        match self.len {
            Some(len) => self.writer.len(ARRAY, len),
            None => {
                self.writer.encoded.bytes.push(OPEN_ARRAY);
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Written {
        match self.kind {
            Kind::Unknown => self.array()?,
            Kind::Bytes => {}
            Kind::Items | Kind::List(_) => self.writer.depth = self.writer.depth.saturating_sub(1),
        }
        if self.len.is_none() {
            self.writer.encoded.bytes.push(BREAK);
        }
        Ok(())
    }
}

/// A map or structure that is being written.
struct Entries<'a, 't> {
    writer: &'a mut Writer<'t>,
    open: bool,
}

impl Entries<'_, '_> {
    fn finish(self) -> Written {
        self.writer.depth = self.writer.depth.saturating_sub(1);
        if self.open {
            self.writer.encoded.bytes.push(BREAK);
        }
        Ok(())
    }
}

/// The same words for each of serde's kinds of sequence.
macro_rules! sequences {
    ($($kind:ident $method:ident;)*) => { $(
        impl ser::$kind for Sequence<'_, '_> {
            type Ok = ();
            type Error = Unwritable;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                self.element(value)
            }
            fn end(self) -> Written {
                self.finish()
            }
        }
    )* };
}

sequences! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

/// The same words for each of serde's kinds of structure.
macro_rules! structures {
    ($($kind:ident;)*) => { $(
        impl ser::$kind for Entries<'_, '_> {
            type Ok = ();
            type Error = Unwritable;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
                self.writer.text(key)?;
                value.serialize(&mut *self.writer)
            }
            fn end(self) -> Written {
                self.finish()
            }
        }
    )* };
}

structures! {
    SerializeStruct;
    SerializeStructVariant;
}

impl ser::SerializeMap for Entries<'_, '_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        key.serialize(&mut *self.writer)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Written {
        self.finish()
    }
}

/// Takes a `u8` and nothing else.
struct Byte;

/// Methods of [`Byte`] that refuse.
macro_rules! no_byte {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => { $(
        fn $method(self, $(_: $argument),*) -> Result<$ok, Unwritable> {
            Err(Unwritable)
        }
    )* };
}

impl ser::Serializer for Byte {
    type Ok = u8;
    type Error = Unwritable;
    type SerializeSeq = Impossible<u8, Unwritable>;
    type SerializeTuple = Impossible<u8, Unwritable>;
    type SerializeTupleStruct = Impossible<u8, Unwritable>;
    type SerializeTupleVariant = Impossible<u8, Unwritable>;
    type SerializeMap = Impossible<u8, Unwritable>;
    type SerializeStruct = Impossible<u8, Unwritable>;
    type SerializeStructVariant = Impossible<u8, Unwritable>;

    fn serialize_u8(self, v: u8) -> Result<u8, Unwritable> {
        Ok(v)
    }

    no_byte! {
        serialize_bool(bool) -> u8;
        serialize_i8(i8) -> u8;
        serialize_i16(i16) -> u8;
        serialize_i32(i32) -> u8;
        serialize_i64(i64) -> u8;
        serialize_u16(u16) -> u8;
        serialize_u32(u32) -> u8;
        serialize_u64(u64) -> u8;
        serialize_f32(f32) -> u8;
        serialize_f64(f64) -> u8;
        serialize_char(char) -> u8;
        serialize_str(&str) -> u8;
        serialize_bytes(&[u8]) -> u8;
        serialize_none() -> u8;
        serialize_unit() -> u8;
        serialize_unit_struct(&'static str) -> u8;
        serialize_unit_variant(&'static str, u32, &'static str) -> u8;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<u8, Unwritable> {
        Err(Unwritable)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<u8, Unwritable> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<u8, Unwritable> {
        Err(Unwritable)
    }
}
