//! What a file is, by its first bytes: names of files lie, and are not always there.

/// Bytes that are looked at.
pub(super) const HEAD: usize = 4096;

/// The media type of a file that begins with `head`. Never one that a receiver would execute or render actively: what
/// may hold scripts goes as plain text or as bytes.
pub(super) fn guess(head: &[u8]) -> &'static str {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let at = |from: usize, magic: &[u8]| head.get(from..).is_some_and(|rest| rest.starts_with(magic));
    match () {
        () if starts(b"\xff\xd8\xff") => JPEG,
        () if starts(b"\x89PNG\r\n\x1a\n") => PNG,
        () if starts(b"RIFF") && at(8, b"WEBP") => WEBP,
        () if starts(b"GIF87a") || starts(b"GIF89a") => GIF,
        () if starts(b"II*\0") || starts(b"MM\0*") => "image/tiff",
        () if at(4, b"ftypavif") || at(4, b"ftypavis") => "image/avif",
        () if at(4, b"ftyphei") || at(4, b"ftypmif1") => "image/heic",
        () if at(4, b"ftypM4A") => "audio/mp4",
        () if at(4, b"ftypqt") => "video/quicktime",
        () if at(4, b"ftyp") => "video/mp4",
        () if starts(b"\x1a\x45\xdf\xa3") => "video/webm",
        () if starts(b"ID3") || starts(b"\xff\xfb") || starts(b"\xff\xf3") => "audio/mpeg",
        () if starts(b"OggS") => "audio/ogg",
        () if starts(b"fLaC") => "audio/flac",
        () if starts(b"RIFF") && at(8, b"WAVE") => "audio/wav",
        () if starts(b"%PDF-") => "application/pdf",
        () if starts(b"PK\x03\x04") => "application/zip",
        () if starts(b"\x1f\x8b") => "application/gzip",
        () if is_text(head) => "text/plain;charset=utf-8",
        () => "application/octet-stream",
    }
}

pub(super) const JPEG: &str = "image/jpeg";
pub(super) const PNG: &str = "image/png";
pub(super) const WEBP: &str = "image/webp";
pub(super) const GIF: &str = "image/gif";

/// Whether a receiver is to be shown it in the conversation.
pub(super) fn is_picture(media_type: &str) -> bool {
    matches!(media_type, JPEG | PNG | WEBP | GIF)
}

/// UTF-8 without control characters; a character may be cut at the end.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && head.len() >= HEAD => {
            let valid = head.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\x0c'))
}

#[cfg(test)]
mod tests {
    use super::{HEAD, guess};

    #[test]
    fn well_known_beginnings() {
        for (head, media_type) in [
            (&b"\xff\xd8\xff\xe0\0\x10JFIF"[..], "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n\0", "image/png"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
            (b"\0\0\0\x20ftypheic", "image/heic"),
            (b"\0\0\0\x20ftypisom", "video/mp4"),
            (b"%PDF-1.7", "application/pdf"),
            (b"plain words\n", "text/plain;charset=utf-8"),
            (b"<script>alert(1)</script>", "text/plain;charset=utf-8"),
            (b"\xff\xfe\0\0", "application/octet-stream"),
            (b"a\0b", "application/octet-stream"),
            (b"", "application/octet-stream"),
        ] {
            assert_eq!(guess(head), media_type, "{head:?}");
        }
        let mut cut = vec![b'x'; HEAD - 1];
        cut.push(0xc3);
        assert_eq!(
            guess(&cut),
            "text/plain;charset=utf-8",
            "a character cut at the end"
        );
        assert_eq!(guess(b"x\xc3"), "application/octet-stream");
    }
}
