#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use super::*;

#[test]
fn length_headers_round_trip_at_every_boundary() {
    for (len, hex) in [
        (0_usize, vec![0x00]),
        (63, vec![0x3f]),
        (64, vec![0x40, 0x40]),
        (16_383, vec![0x7f, 0xff]),
        (16_384, vec![0x80, 0x00, 0x40, 0x00]),
        (MAX_VARINT, vec![0xbf, 0xff, 0xff, 0xff]),
    ] {
        let mut out = Vec::new();
        put_varint(&mut out, len);
        assert_eq!(out, hex);
        assert_eq!(Reader::new(&out).varint("len").unwrap(), len);
    }
}

#[test]
fn longer_headers_than_needed_are_refused() {
    for bytes in [
        &[0x40_u8, 0x3f][..],
        &[0x80, 0, 0x3f, 0xff],
        &[0xc0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let error = Reader::new(bytes).varint("len").unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::BadLengthHeader, "{bytes:?}");
    }
}

#[test]
fn trailing_bytes_and_truncation_are_told_with_offset() {
    let error = u16::from_bytes(&[1, 2, 3]).unwrap_err();
    assert_eq!((error.offset, error.kind), (2, DecodeErrorKind::TrailingBytes));
    let error = u32::from_bytes(&[1, 2, 3]).unwrap_err();
    assert_eq!((error.offset, error.kind), (0, DecodeErrorKind::Truncated));
}

#[test]
fn a_vector_of_elements_must_be_filled_exactly() {
    let mut r = Reader::new(&[3, 0, 1, 2]);
    let error = r.list::<u16>("items", 16).unwrap_err();
    assert_eq!((error.offset, error.kind), (3, DecodeErrorKind::Truncated));
    let error = Reader::new(&[4, 0, 1, 0, 2]).list::<u16>("items", 3).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooLong { max: 3 });
}

#[test]
fn a_presence_octet_is_zero_or_one() {
    let error = Reader::new(&[2, 0]).optional::<u8>("x").unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::UnknownValue(2));
}
