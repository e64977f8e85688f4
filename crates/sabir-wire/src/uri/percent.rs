use super::UriError;

/// Characters that stand for themselves in a name: RFC 3986 `unreserved`, `sub-delims`, `:` and `@`.
pub(super) fn stands_for_itself(b: u8) -> bool {
    is_unreserved(b) || b"!$&'()*+,;=:@".contains(&b)
}

fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~".contains(&b)
}

/// Checks a canonical name and gives the text it encodes.
pub(super) fn decode_name(name: &str) -> Result<String, UriError> {
    if matches!(name, "" | "." | "..") {
        return Err(UriError::EmptyName);
    }
    let mut decoded = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            if !stands_for_itself(b) {
                return Err(UriError::NameCharacter);
            }
            decoded.push(b);
            continue;
        }
        let value = hex_pair(bytes.next(), bytes.next()).ok_or(UriError::PercentEncoding)?;
        let lower = |b: u8| b.is_ascii_lowercase();
        let consumed = name.len().saturating_sub(bytes.len());
        let pair = name.as_bytes().get(consumed.saturating_sub(2)..consumed);
        if stands_for_itself(value) || pair.is_none_or(|p| p.iter().any(|b| lower(*b))) {
            return Err(UriError::PercentEncoding);
        }
        decoded.push(value);
    }
    let text = String::from_utf8(decoded).map_err(|_| UriError::NameText)?;
    if text.chars().any(char::is_control) {
        return Err(UriError::NameText);
    }
    Ok(text)
}

/// The canonical name of a text.
pub(super) fn encode_name(text: &str) -> String {
    encode(text, stands_for_itself)
}

/// One path segment of a URL that carries the whole text.
pub(crate) fn encode_segment(text: &str) -> String {
    encode(text, is_unreserved)
}

/// Undoes [`encode_segment`], and every other spelling of the same segment (RFC 3986 §6.2.2).
pub(crate) fn decode_segment(segment: &str) -> Result<String, UriError> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'%' => {
                decoded.push(hex_pair(bytes.next(), bytes.next()).ok_or(UriError::PercentEncoding)?);
            }
            _ if stands_for_itself(b) => decoded.push(b),
            _ => return Err(UriError::NameCharacter),
        }
    }
    String::from_utf8(decoded).map_err(|_| UriError::NameText)
}

fn encode(text: &str, keep: fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if keep(b) {
            out.push(char::from(b));
        } else {
            out.push('%');
            for nibble in [b >> 4, b & 0x0f] {
                out.extend(char::from_digit(nibble.into(), 16).map(|c| c.to_ascii_uppercase()));
            }
        }
    }
    out
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(high?)? << 4 | digit(low?)?)
}
