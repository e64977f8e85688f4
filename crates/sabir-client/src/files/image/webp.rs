use super::{Bytes, exif};

const EXTENDED: [u8; 4] = *b"VP8X";
const FRAME: [u8; 4] = *b"ANMF";
const EXIF: [u8; 4] = *b"EXIF";
/// The picture, its colours and transparency, and animations.
const PICTURE: &[[u8; 4]] = &[*b"VP8 ", *b"VP8L", *b"ALPH", *b"ANIM", *b"ICCP"];

/// Flags of the extended header.
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;
/// Bytes of a frame before its chunks.
const FRAME_HEAD: usize = 16;

pub(super) fn strip(input: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Bytes(input);
    (&bytes.array()? == b"RIFF").then_some(())?;
    let length = usize::try_from(u32::from_le_bytes(bytes.array()?)).ok()?;
    let mut body = Bytes(bytes.take(length)?);
    (&body.array()? == b"WEBP").then_some(())?;
    let mut out = Vec::with_capacity(input.len().saturating_add(64));
    out.extend_from_slice(b"RIFF\0\0\0\0WEBP");
    let (mut flags, mut turned) = (None, None);
    while let Some((kind, content)) = next(&mut body)? {
        match kind {
            EXTENDED => {
                put(&mut out, kind, content)?;
                flags = out.len().checked_sub(content.len());
            }
            EXIF => {
                let tiff = content.strip_prefix(b"Exif\0\0").unwrap_or(content);
                turned = turned.or(exif::orientation(tiff));
            }
            FRAME => put(&mut out, kind, &frame(content)?)?,
            kind if PICTURE.contains(&kind) => put(&mut out, kind, content)?,
            _ => {}
        }
    }
    // Only the extended form knows EXIF.
    if let Some(flags) = flags {
        let flags = out.get_mut(flags)?;
        *flags &= !(HAS_EXIF | HAS_XMP);
        if let Some(turned) = turned {
            *flags |= HAS_EXIF;
            put(&mut out, EXIF, &exif::only(turned))?;
        }
    }
    let length = u32::try_from(out.len().checked_sub(8)?).ok()?;
    out.get_mut(4..8)?.copy_from_slice(&length.to_le_bytes());
    Some(out)
}

/// A frame of an animation holds chunks of its own.
fn frame(content: &[u8]) -> Option<Vec<u8>> {
    let (head, chunks) = content.split_at_checked(FRAME_HEAD)?;
    let (mut out, mut chunks) = (head.to_vec(), Bytes(chunks));
    while let Some((kind, content)) = next(&mut chunks)? {
        if PICTURE.contains(&kind) {
            put(&mut out, kind, content)?;
        }
    }
    Some(out)
}

/// The next chunk; `Some(None)` at the end.
fn next<'a>(bytes: &mut Bytes<'a>) -> Option<Option<([u8; 4], &'a [u8])>> {
    if bytes.0.is_empty() {
        return Some(None);
    }
    let kind = bytes.array()?;
    let length = usize::try_from(u32::from_le_bytes(bytes.array()?)).ok()?;
    let content = bytes.take(length)?;
    bytes.take(length % 2)?;
    Some(Some((kind, content)))
}

fn put(out: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) -> Option<()> {
    let length = u32::try_from(content.len()).ok()?;
    out.extend_from_slice(&kind);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(content);
    out.extend(std::iter::repeat_n(0, content.len() % 2));
    Some(())
}
