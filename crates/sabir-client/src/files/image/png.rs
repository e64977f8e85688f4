use super::{Bytes, exif};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const IHDR: [u8; 4] = *b"IHDR";
const IEND: [u8; 4] = *b"IEND";
const EXIF: [u8; 4] = *b"eXIf";

/// Critical chunks, colours, transparency, size of pixels, and animations.
const PICTURE: &[[u8; 4]] = &[
    IHDR, *b"PLTE", *b"IDAT", IEND, *b"tRNS", *b"gAMA", *b"cHRM", *b"sRGB", *b"iCCP", *b"cICP", *b"mDCV",
    *b"cLLI", *b"sBIT", *b"bKGD", *b"pHYs", *b"acTL", *b"fcTL", *b"fdAT",
];

pub(super) fn strip(input: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Bytes(input);
    (bytes.take(SIGNATURE.len())? == SIGNATURE).then_some(())?;
    let mut out = Vec::with_capacity(input.len().saturating_add(64));
    out.extend_from_slice(SIGNATURE);
    let (mut place, mut turned) = (out.len(), None);
    loop {
        let whole = bytes.0;
        let length = usize::try_from(u32::from_be_bytes(bytes.array()?)).ok()?;
        let kind: [u8; 4] = bytes.array()?;
        let content = bytes.take(length)?;
        bytes.take(4)?;
        let whole = whole.get(..length.checked_add(12)?)?;
        if kind == EXIF {
            turned = turned.or(exif::orientation(content));
        } else if PICTURE.contains(&kind) {
            out.extend_from_slice(whole);
        }
        if kind == IHDR {
            place = out.len();
        }
        if kind == IEND {
            break;
        }
    }
    if let Some(turned) = turned {
        out.splice(place..place, chunk(EXIF, &exif::only(turned))?);
    }
    Some(out)
}

pub(super) fn chunk(kind: [u8; 4], content: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(content.len()).ok()?;
    let named = [&kind, content].concat();
    Some([&length.to_be_bytes(), &named[..], &crc(&named).to_be_bytes()].concat())
}

/// The CRC-32 of ISO 3309, bit by bit: it is made over a few bytes only.
fn crc(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc));
    !bytes.iter().fold(u32::MAX, byte)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(super::crc(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::crc(b"IEND"), 0xae42_6082);
    }
}
