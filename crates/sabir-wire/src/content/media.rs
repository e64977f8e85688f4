//! Just enough of media types to compare them (RFC 2045 §5.1): case, white space and the order of parameters
//! do not matter.

/// The type and subtype of a media type, without parameters and white space. Compare it without regard to case.
#[must_use]
pub fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The value of a parameter of a media type, unquoted.
#[must_use]
pub fn parameter<'a>(content_type: &'a str, name: &str) -> Option<&'a str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
        key.trim()
            .eq_ignore_ascii_case(name)
            .then_some(unquoted.unwrap_or(value))
    })
}

/// Whether the content is text every client can show as it is: plain or Markdown, in UTF-8
/// (draft-ietf-mimi-content §7.1: rendering Markdown as plain text is acceptable).
pub(super) fn is_readable_text(content_type: &str) -> bool {
    let media = media_type(content_type);
    let charset = parameter(content_type, "charset");
    (media.eq_ignore_ascii_case("text/plain") || media.eq_ignore_ascii_case("text/markdown"))
        && charset.is_none_or(|c| c.eq_ignore_ascii_case("utf-8") || c.eq_ignore_ascii_case("us-ascii"))
}
