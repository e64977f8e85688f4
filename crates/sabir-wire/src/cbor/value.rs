//! Any CBOR value: what the values of extensions may be.

use minicbor::data::Type;

use super::fault;
use super::read::{Reader, is_int};
use crate::codec::{DecodeError, DecodeErrorKind};

/// Tags, maps and arrays may nest this deep, the extensions map itself being level 1
/// (draft-ietf-mimi-content §6.3).
pub(crate) const MAX_VALUE_DEPTH: u32 = 4;

/// The largest magnitude of an integer map key, 2^53 − 1 (draft-ietf-mimi-content §6.2).
pub(crate) const MAX_INT_KEY: i128 = 9_007_199_254_740_991;

impl<'a> Reader<'a> {
    /// Reads one value of any type and gives its encoding. `level` is the level a container at this place
    /// would have, counted from 1.
    pub(crate) fn value(&mut self, field: &'static str, level: u32) -> Result<&'a [u8], DecodeError> {
        let from = self.offset();
        self.item(field, level)?;
        Ok(self.since(from))
    }

    fn item(&mut self, field: &'static str, level: u32) -> Result<(), DecodeError> {
        let at = self.offset();
        let below = level.saturating_add(1);
        match self.next_type(field)? {
            t if is_int(t) => self.int(field).map(drop),
            Type::Bytes => self.bytes(field, usize::MAX).map(drop),
            Type::String => self.text(field, usize::MAX).map(drop),
            Type::Bool => self.boolean(field).map(drop),
            Type::Null => self.null(field).map(drop),
            Type::Undefined => self.decoder.undefined().map_err(self.token(at, field)),
            Type::Simple => self.simple(field),
            Type::F16 | Type::F32 | Type::F64 => self.float(field),
            Type::Array => {
                self.check_level(field, level)?;
                for _ in 0..self.array_head(field)? {
                    self.item(field, below)?;
                }
                Ok(())
            }
            Type::Map => {
                self.check_level(field, level)?;
                self.map(field, below)
            }
            Type::Tag => {
                self.check_level(field, level)?;
                match self.tag(field)? {
                    2 | 3 => self.bignum(field),
                    _ => self.item(field, below),
                }
            }
            _ => Err(self.fault_at(at, field, fault::MALFORMED)),
        }
    }

    fn check_level(&self, field: &'static str, level: u32) -> Result<(), DecodeError> {
        if level > MAX_VALUE_DEPTH {
            // draft-ietf-mimi-content §6.3
            return Err(self.error_at(self.offset(), field, DecodeErrorKind::TooDeep));
        }
        Ok(())
    }

    /// A map inside a value, its keys in the order of their encodings (RFC 8949 §4.2.1).
    fn map(&mut self, field: &'static str, below: u32) -> Result<(), DecodeError> {
        let mut previous: Option<&[u8]> = None;
        for _ in 0..self.map_head(field)? {
            let at = self.offset();
            match self.next_type(field)? {
                t if is_int(t) => {
                    // draft-ietf-mimi-content §6.2
                    if self.int(field)?.abs() > MAX_INT_KEY {
                        return Err(self.fault_at(at, field, fault::KEY_RANGE));
                    }
                }
                Type::String => self.text(field, usize::MAX).map(drop)?,
                Type::Bytes => self.bytes(field, usize::MAX).map(drop)?,
                _ => return Err(self.fault_at(at, field, fault::KEY_TYPE)),
            }
            let key = self.since(at);
            self.check_order(at, field, previous, key)?;
            previous = Some(key);
            self.item(field, below)?;
        }
        Ok(())
    }

    /// Compares the encodings of two neighbouring map keys.
    pub(crate) fn check_order(
        &self,
        at: usize,
        field: &'static str,
        previous: Option<&[u8]>,
        key: &[u8],
    ) -> Result<(), DecodeError> {
        match previous {
            Some(previous) if previous == key => Err(self.fault_at(at, field, fault::DUPLICATE_KEY)),
            Some(previous) if previous > key => Err(self.error_at(at, field, DecodeErrorKind::NotSorted)),
            _ => Ok(()),
        }
    }

    /// The content of tags 2 and 3: without leading zeros, and only where an integer would not fit
    /// (RFC 8949 §3.4.3).
    fn bignum(&mut self, field: &'static str) -> Result<(), DecodeError> {
        let at = self.offset();
        let digits = self.bytes(field, usize::MAX)?;
        if digits.len() <= 8 || digits.first() == Some(&0) {
            return Err(self.fault_at(at, field, fault::BIGNUM));
        }
        Ok(())
    }

    fn simple(&mut self, field: &'static str) -> Result<(), DecodeError> {
        let at = self.offset();
        let value = self.decoder.simple().map_err(self.token(at, field))?;
        // Two bytes for values below 32 are not well-formed (RFC 8949 §3.3).
        if value < 32 && self.offset().saturating_sub(at) > 1 {
            return Err(self.fault_at(at, field, fault::MALFORMED));
        }
        Ok(())
    }

    fn float(&mut self, field: &'static str) -> Result<(), DecodeError> {
        let at = self.offset();
        let (nan, shortest) = match self.next_type(field)? {
            Type::F64 => {
                let v = self.decoder.f64().map_err(self.token(at, field))?;
                (v.is_nan(), !fits_f32(v))
            }
            Type::F32 => {
                let v = self.decoder.f32().map_err(self.token(at, field))?;
                (v.is_nan(), !fits_f16(v))
            }
            _ => {
                let end = at.saturating_add(3);
                let Some([_, high, low]) = self.decoder.input().get(at..end) else {
                    return Err(self.error_at(at, field, DecodeErrorKind::Truncated));
                };
                let bits = u16::from_be_bytes([*high, *low]);
                self.decoder.set_position(end);
                (
                    bits & 0x7c00 == 0x7c00 && bits & 0x03ff != 0 && bits != 0x7e00,
                    true,
                )
            }
        };
        if nan {
            // draft-ietf-mimi-content §6.2
            return Err(self.fault_at(at, field, fault::NAN));
        }
        if !shortest {
            return Err(self.fault_at(at, field, fault::NOT_SHORTEST));
        }
        Ok(())
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the comparison is about what the cast loses"
)]
fn fits_f32(v: f64) -> bool {
    f64::from(v as f32) == v
}

/// Whether a half-precision float has the same value: eleven significant bits, exponents −14 to 15, and
/// multiples of 2^−24 below.
fn fits_f16(v: f32) -> bool {
    let bits = v.to_bits();
    let exponent = (bits >> 23) & 0xff;
    let fraction = bits & 0x7f_ffff;
    match exponent {
        0 | 0xff => fraction == 0,
        113..=142 => fraction & 0x1fff == 0,
        103..=112 => fraction.trailing_zeros() >= 126_u32.saturating_sub(exponent) || fraction == 0,
        _ => false,
    }
}
