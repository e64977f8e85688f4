use super::{Bytes, exif};

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const TEM: u8 = 0x01;
const RESTARTS: std::ops::RangeInclusive<u8> = 0xd0..=0xd7;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;
/// Frames, tables, restart intervals: what a decoder needs, and nothing that it does not.
const PICTURE: &[std::ops::RangeInclusive<u8>] = &[0xc0..=0xcf, 0xda..=0xdf];

/// Bytes of a JFIF segment without its thumbnail.
const JFIF: usize = 14;

pub(super) fn strip(input: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Bytes(input);
    (bytes.array()? == [0xff, SOI]).then_some(())?;
    let mut out = Vec::with_capacity(input.len().saturating_add(64));
    out.extend_from_slice(&[0xff, SOI]);
    // EXIF has its place behind JFIF, which comes first.
    let (mut place, mut turned) = (out.len(), None);
    loop {
        let marker = marker(&mut bytes)?;
        if marker == EOI {
            break;
        }
        if marker == TEM || RESTARTS.contains(&marker) {
            continue;
        }
        let [high, low] = bytes.array()?;
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
        let content = bytes.take(length)?;
        match marker {
            APP0 => {
                let jfif = content.get(..JFIF).filter(|jfif| jfif.starts_with(b"JFIF\0"));
                if let Some(jfif) = jfif.filter(|_| out.len() == place) {
                    let (kept, _) = jfif.split_at_checked(JFIF.saturating_sub(2))?;
                    segment(&mut out, marker, &[kept, &[0, 0]].concat())?;
                    place = out.len();
                }
            }
            APP1 => turned = turned.or(content.strip_prefix(b"Exif\0\0").and_then(exif::orientation)),
            APP2 if content.starts_with(b"ICC_PROFILE\0") => segment(&mut out, marker, content)?,
            // How the colours were transformed: without it they are wrong.
            APP14 if content.starts_with(b"Adobe") => segment(&mut out, marker, content)?,
            marker if PICTURE.iter().any(|kinds| kinds.contains(&marker)) => {
                segment(&mut out, marker, content)?;
                if marker == SOS {
                    out.extend_from_slice(scan(&mut bytes)?);
                }
            }
            _ => {}
        }
    }
    if let Some(turned) = turned {
        let mut exif = Vec::new();
        segment(&mut exif, APP1, &[b"Exif\0\0", &exif::only(turned)[..]].concat())?;
        out.splice(place..place, exif);
    }
    out.extend_from_slice(&[0xff, EOI]);
    Some(out)
}

/// The next marker, with any number of fill bytes before it.
fn marker(bytes: &mut Bytes<'_>) -> Option<u8> {
    (bytes.byte()? == 0xff).then_some(())?;
    loop {
        match bytes.byte()? {
            0xff => {}
            0 => return None,
            marker => return Some(marker),
        }
    }
}

/// The compressed bytes behind a scan's header, up to the next marker: stuffed and restart bytes belong to them.
fn scan<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let mut at = 0_usize;
    loop {
        let rest = bytes.0.get(at..)?;
        at = at.checked_add(rest.iter().position(|byte| *byte == 0xff)?)?;
        match bytes.0.get(at.checked_add(1)?)? {
            0 => at = at.checked_add(2)?,
            next if RESTARTS.contains(next) => at = at.checked_add(2)?,
            _ => return bytes.take(at),
        }
    }
}

fn segment(out: &mut Vec<u8>, marker: u8, content: &[u8]) -> Option<()> {
    let length = u16::try_from(content.len().checked_add(2)?).ok()?;
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(content);
    Some(())
}
