//! Pictures without what they say besides: where, when, by whom and with what they were taken.
//!
//! The picture itself is not touched: its compressed bytes are copied. What is copied is listed, everything else goes, so
//! that nothing new gets through: EXIF with its places, XMP, texts and comments, thumbnails (which may show what was cut
//! off), makers' notes, and whatever is appended behind the picture. Colour profiles stay. Where a picture has to be
//! turned to be seen upright, an EXIF block that says that alone takes the old one's place.

mod exif;
mod gif;
mod jpeg;
mod png;
mod webp;

use super::media;

/// The picture without metadata; `None` where it is not whole, not of its kind, or of a kind that is not known here.
pub(super) fn stripped(media_type: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match media_type {
        media::JPEG => jpeg::strip(bytes),
        media::PNG => png::strip(bytes),
        media::WEBP => webp::strip(bytes),
        media::GIF => gif::strip(bytes),
        _ => None,
    }
}

/// Whether [`stripped`] knows this media type.
pub(super) fn is_known(media_type: &str) -> bool {
    matches!(media_type, media::JPEG | media::PNG | media::WEBP | media::GIF)
}

/// Whether it is a picture that may hold metadata which nobody here can take out.
pub(super) fn is_opaque(media_type: &str) -> bool {
    media_type.starts_with("image/") && !is_known(media_type)
}

/// Bytes of a picture, read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    const SECRET: &[u8] = b"GPS 52.5163 13.3777";

    /// EXIF with an orientation and a place.
    fn full_exif(orientation: u8) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
        tiff.extend_from_slice(&[0x0e, 1, 2, 0, 19, 0, 0, 0, 38, 0, 0, 0]);
        tiff.extend_from_slice(&[0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
        tiff.extend_from_slice(&[0; 4]);
        tiff.extend_from_slice(SECRET);
        tiff
    }

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap();
        [&[0xff, marker][..], &length.to_be_bytes(), content].concat()
    }

    const SCAN: &[u8] = b"\x12\xff\x00\x34\xff\xd0\x56";

    fn jpeg(orientation: u8) -> Vec<u8> {
        let exif = [b"Exif\0\0", &full_exif(orientation)[..]].concat();
        let thumbnail = [b"JFIF\0\x01\x01\0\0\x48\0\x48\x01\x01", SECRET].concat();
        [
            b"\xff\xd8".to_vec(),
            segment(0xe0, &thumbnail),
            segment(0xe1, &exif),
            segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat()),
            segment(0xe2, b"ICC_PROFILE\0\x01\x01colours"),
            segment(0xe2, &[b"MPF\0", SECRET].concat()),
            segment(0xed, &[b"Photoshop 3.0\0", SECRET].concat()),
            segment(0xee, b"Adobe\0\x64\0\0\0\0\x01"),
            segment(0xfe, SECRET),
            segment(0xdb, b"tables"),
            segment(0xc2, b"frame"),
            segment(0xda, b"scan one"),
            SCAN.to_vec(),
            segment(0xfe, SECRET),
            segment(0xc4, b"more tables"),
            segment(0xda, b"scan two"),
            SCAN.to_vec(),
            b"\xff\xd9".to_vec(),
            [b"\xff\xd8", SECRET, b"\xff\xd9"].concat(),
        ]
        .concat()
    }

    fn holds(bytes: &[u8], needle: &[u8]) -> bool {
        bytes.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn a_jpeg_keeps_its_picture_and_its_colours() {
        let stripped = stripped(media::JPEG, &jpeg(1)).unwrap();
        let expected = [
            b"\xff\xd8".to_vec(),
            segment(0xe0, b"JFIF\0\x01\x01\0\0\x48\0\x48\0\0"),
            segment(0xe2, b"ICC_PROFILE\0\x01\x01colours"),
            segment(0xee, b"Adobe\0\x64\0\0\0\0\x01"),
            segment(0xdb, b"tables"),
            segment(0xc2, b"frame"),
            segment(0xda, b"scan one"),
            SCAN.to_vec(),
            segment(0xc4, b"more tables"),
            segment(0xda, b"scan two"),
            SCAN.to_vec(),
            b"\xff\xd9".to_vec(),
        ]
        .concat();
        assert_eq!(stripped, expected);
        assert_eq!(
            super::stripped(media::JPEG, &stripped).unwrap(),
            stripped,
            "again"
        );
    }

    #[test]
    fn a_picture_stays_upright() {
        let stripped = stripped(media::JPEG, &jpeg(6)).unwrap();
        assert!(!holds(&stripped, SECRET) && holds(&stripped, b"Exif\0\0"));
        let at = stripped
            .windows(6)
            .position(|window| window == b"Exif\0\0")
            .unwrap();
        assert_eq!(exif::orientation(&stripped[at + 6..]), Some(6));
        assert_eq!(
            super::stripped(media::JPEG, &stripped).unwrap(),
            stripped,
            "again"
        );
    }

    #[test]
    fn a_gif_keeps_its_pictures_and_its_repetitions() {
        let block = |content: &[u8]| [&[u8::try_from(content.len()).unwrap()][..], content].concat();
        let head = [&b"GIF89a\x02\0\x02\0\x80\0\0"[..], b"rgbRGB"].concat();
        let repeats = [
            &b"\x21\xff"[..],
            &block(b"NETSCAPE2.0"),
            &block(b"\x01\0\0"),
            b"\0",
        ]
        .concat();
        let xmp = [&b"\x21\xff"[..], &block(b"XMP DataXMP"), &block(SECRET), b"\0"].concat();
        let comment = [&b"\x21\xfe"[..], &block(SECRET), b"\0"].concat();
        let caption = [&b"\x21\x01"[..], &block(&[0; 12]), &block(SECRET), b"\0"].concat();
        // What passes for a number of repetitions and is more.
        let more = [
            &b"\x21\xff"[..],
            &block(b"NETSCAPE2.0"),
            &block(b"\x01\0\0"),
            &block(SECRET),
            b"\0",
        ]
        .concat();
        let timing = [&b"\x21\xf9"[..], &block(b"\0\x0a\0\0"), b"\0"].concat();
        let picture = [
            &b"\x2c\0\0\0\0\x02\0\x02\0\x80"[..],
            b"rgbRGB\x02",
            &block(b"\x84\x51"),
            b"\0",
        ]
        .concat();
        let full = [
            &head,
            &repeats,
            &xmp,
            &comment,
            &caption,
            &more,
            &timing,
            &picture,
            &vec![0x3b],
            &SECRET.to_vec(),
        ];
        let full = full.map(Vec::as_slice).concat();
        let bare = [&head, &repeats, &timing, &picture, &vec![0x3b]]
            .map(Vec::as_slice)
            .concat();
        assert_eq!(stripped(media::GIF, &full).unwrap(), bare);
        assert_eq!(stripped(media::GIF, &bare).unwrap(), bare, "again");
        for length in 0..bare.len() {
            assert_eq!(stripped(media::GIF, &bare[..length]), None, "{length}");
        }
    }

    #[test]
    fn pictures_that_cannot_be_cleaned_are_known_as_such() {
        for opaque in ["image/heic", "image/avif", "image/tiff"] {
            assert!(is_opaque(opaque), "{opaque}");
        }
        for other in [
            media::JPEG,
            media::PNG,
            media::WEBP,
            media::GIF,
            "video/mp4",
            "text/plain",
        ] {
            assert!(!is_opaque(other), "{other}");
        }
    }

    fn chunk(kind: &[u8], content: &[u8]) -> Vec<u8> {
        png::chunk(kind.try_into().unwrap(), content).unwrap()
    }

    #[test]
    fn a_png_keeps_its_picture_and_its_colours() {
        for (orientation, turned) in [(1, None), (8, Some(8))] {
            let picture = [
                chunk(b"IHDR", b"head"),
                chunk(b"iCCP", b"icc\0\0zz"),
                chunk(b"tRNS", b"t"),
            ];
            let data = [
                chunk(b"IDAT", b"one"),
                chunk(b"IDAT", b"two"),
                chunk(b"IEND", b""),
            ];
            let signature = b"\x89PNG\r\n\x1a\n".to_vec();
            let whole = [
                signature.clone(),
                picture.concat(),
                chunk(b"eXIf", &full_exif(orientation)),
                chunk(b"tEXt", SECRET),
                chunk(b"iTXt", SECRET),
                chunk(b"tIME", b"1234567"),
                chunk(b"caBX", SECRET),
                data.concat(),
                SECRET.to_vec(),
            ]
            .concat();
            let stripped = stripped(media::PNG, &whole).unwrap();
            let exif = turned
                .map(|turned| chunk(b"eXIf", &exif::only(turned)))
                .unwrap_or_default();
            let [head, rest @ ..] = &picture;
            let expected = [signature, head.clone(), exif, rest.concat(), data.concat()].concat();
            assert_eq!(stripped, expected);
        }
    }

    fn riff(kind: &[u8], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap();
        let pad = vec![0; content.len() % 2];
        [kind, &length.to_le_bytes(), content, &pad].concat()
    }

    #[test]
    fn a_webp_keeps_its_picture_and_its_colours() {
        for (orientation, flags) in [(1, 0x20), (3, 0x28)] {
            let head = |flags: u8| riff(b"VP8X", &[flags, 0, 0, 0, 1, 0, 0, 1, 0, 0]);
            let exif = riff(b"EXIF", &full_exif(orientation));
            let picture = [riff(b"ICCP", b"colours"), riff(b"VP8L", b"picture")].concat();
            let body = [
                b"WEBP".to_vec(),
                head(0x2c),
                picture.clone(),
                exif,
                riff(b"XMP ", SECRET),
                riff(b"odd ", SECRET),
            ];
            let whole = [riff(b"RIFF", &body.concat()), SECRET.to_vec()].concat();
            let stripped = stripped(media::WEBP, &whole).unwrap();
            let only = if orientation == 1 {
                Vec::new()
            } else {
                riff(b"EXIF", &exif::only(3))
            };
            let body = [b"WEBP".to_vec(), head(flags), picture, only].concat();
            assert_eq!(stripped, riff(b"RIFF", &body));
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let png = [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(b"IHDR", b"head"),
            chunk(b"IEND", b""),
        ]
        .concat();
        let webp = riff(b"RIFF", &[b"WEBP".to_vec(), riff(b"VP8 ", b"picture!")].concat());
        let whole = jpeg(1);
        let end = whole.len() - SECRET.len() - 4;
        for (kind, bytes) in [
            (media::JPEG, &whole[..end]),
            (media::PNG, &png[..]),
            (media::WEBP, &webp[..]),
        ] {
            assert!(stripped(kind, bytes).is_some(), "{kind}");
            for cut in 0..bytes.len() {
                assert!(stripped(kind, &bytes[..cut]).is_none(), "{kind} cut at {cut}");
            }
        }
        for (kind, bytes) in [(media::JPEG, &png), (media::PNG, &whole), (media::WEBP, &png)] {
            assert!(stripped(kind, bytes).is_none());
        }
    }

    #[test]
    fn damage_never_panics() {
        let mut whole = jpeg(6);
        for at in 0..whole.len() {
            let old = whole[at];
            for byte in [0, 0xff, old ^ 0x55] {
                whole[at] = byte;
                let _ = stripped(media::JPEG, &whole);
                let _ = exif::orientation(&whole[at..]);
            }
            whole[at] = old;
        }
    }
}
