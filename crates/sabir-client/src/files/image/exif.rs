//! How a picture is to be turned: all of EXIF that is kept.

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// The orientation in a TIFF structure, 2 to 8; `None` for upright pictures and where there is none.
pub(super) fn orientation(tiff: &[u8]) -> Option<u8> {
    let big = match tiff.get(..4)? {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    };
    let long = |at: usize| -> Option<u32> {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    for entry in 0..usize::from(short(directory)?) {
        let at = directory.checked_add(2)?.checked_add(entry.checked_mul(12)?)?;
        if short(at)? == ORIENTATION && short(at.checked_add(2)?)? == SHORT {
            let value = u8::try_from(short(at.checked_add(8)?)?).ok()?;
            return (2..=8).contains(&value).then_some(value);
        }
    }
    None
}

/// A TIFF structure that says an orientation and nothing else.
pub(super) fn only(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}
