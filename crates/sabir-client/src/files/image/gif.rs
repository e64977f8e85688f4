//! GIF: blocks of which pictures, their timing and the number of repetitions are kept; comments, captions, XMP and what
//! other applications wrote are not.

use super::Bytes;

const EXTENSION: u8 = 0x21;
const PICTURE: u8 = 0x2c;
const END: u8 = 0x3b;
const TIMING: u8 = 0xf9;
const APPLICATION: u8 = 0xff;
/// The two applications that say how often an animation is repeated.
const REPEATS: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];

pub(super) fn strip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Bytes(bytes);
    let mut out = Vec::with_capacity(bytes.len());
    let head: [u8; 13] = rest.array()?;
    let [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', .., flags, _, _] = head else {
        return None;
    };
    out.extend_from_slice(&head);
    out.extend_from_slice(rest.take(colours(flags))?);
    loop {
        match rest.byte()? {
            EXTENSION => {
                let label = rest.byte()?;
                let blocks = sub_blocks(&mut rest)?;
                // Of an application that says how often: its name, after a length of 11, the number, and nothing else.
                let keep = match (label, blocks) {
                    (TIMING, [4, _, _, _, _, 0]) => true,
                    (APPLICATION, [11, name @ .., 3, 1, _, _, 0]) => REPEATS.contains(&name),
                    _ => false,
                };
                if keep {
                    out.extend_from_slice(&[EXTENSION, label]);
                    out.extend_from_slice(blocks);
                }
            }
            PICTURE => {
                let place: [u8; 9] = rest.array()?;
                let [.., flags] = place;
                out.push(PICTURE);
                out.extend_from_slice(&place);
                out.extend_from_slice(rest.take(colours(flags))?);
                out.push(rest.byte()?);
                out.extend_from_slice(sub_blocks(&mut rest)?);
            }
            END => {
                // What is appended behind the end goes.
                out.push(END);
                return Some(out);
            }
            _ => return None,
        }
    }
}

/// Bytes of the table of colours that these flags announce.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7).saturating_add(1))
    }
}

/// Blocks with a length before each, up to the one of length 0.
fn sub_blocks<'a>(rest: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let whole = rest.0;
    loop {
        let length = rest.byte()?;
        if length == 0 {
            break;
        }
        rest.take(usize::from(length))?;
    }
    whole.get(..whole.len().checked_sub(rest.0.len())?)
}
