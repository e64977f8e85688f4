/// Why a text is not a canonical MIMI identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// More bytes than [`super::MAX_URI`].
    #[error("the identifier is longer than 255 bytes")]
    TooLong,
    /// It does not start with `mimi://`.
    #[error("the scheme is not mimi, in lower case")]
    Scheme,
    /// The authority is not one lower-case host name.
    #[error("the authority is not a lower-case host name")]
    Authority,
    /// The path is not one of `/u/`, `/d/`, `/r/`, `/g/` and a name, or not the kind that is needed here.
    #[error("the identifier is not of the expected kind")]
    Kind,
    /// The name is empty or a relative path segment (`.` or `..`).
    #[error("the name is empty or a dot segment")]
    EmptyName,
    /// The name has a character that must be percent-encoded, such as a space, `/`, `?` or `#`.
    #[error("the name has a character that must be percent-encoded")]
    NameCharacter,
    /// A percent-encoding is incomplete, in lower-case hex, or encodes a character that needs none.
    #[error("a percent-encoding is malformed or not canonical")]
    PercentEncoding,
    /// The decoded name is not UTF-8, or has a control character.
    #[error("the decoded name is not printable text")]
    NameText,
    /// An address is not of the form `name@host`.
    #[error("the address is not of the form name@host")]
    Address,
}
