use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use super::percent;
use super::{Domain, UriError};
use crate::codec::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque};

/// Longest identifier, in bytes. It keeps every place that stores or sends one small and lets a percent-encoded
/// identifier fit a URL path. A provider's identifier may reach 260, so that every [`Domain`] has one.
pub const MAX_URI: usize = 255;

const SCHEME: &str = "mimi://";

/// A canonical text with the places of its parts. Only the text takes part in comparisons.
#[derive(Clone)]
struct Canonical {
    text: Arc<str>,
    authority: Domain,
    name_at: usize,
}

impl Canonical {
    /// `kind` is the letter of the path, or `None` for a provider.
    fn parse(text: &str) -> Result<(Self, Option<char>), UriError> {
        let rest = text.strip_prefix(SCHEME).ok_or(UriError::Scheme)?;
        let Some((authority, path)) = rest.split_once('/') else {
            let authority = Domain::parse(rest)?;
            return Ok((
                Self {
                    text: text.into(),
                    authority,
                    name_at: text.len(),
                },
                None,
            ));
        };
        if text.len() > MAX_URI {
            return Err(UriError::TooLong);
        }
        let authority = Domain::parse(authority)?;
        let (kind, name) = path.split_once('/').ok_or(UriError::Kind)?;
        let kind = match kind {
            "u" => 'u',
            "d" => 'd',
            "r" => 'r',
            "g" => 'g',
            _ => return Err(UriError::Kind),
        };
        percent::decode_name(name)?;
        let name_at = text.len().saturating_sub(name.len());
        Ok((
            Self {
                text: text.into(),
                authority,
                name_at,
            },
            Some(kind),
        ))
    }

    fn name(&self) -> &str {
        self.text.get(self.name_at..).unwrap_or_default()
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        ///
        /// On the wire it is an `IdentifierUri`: `struct { opaque uri<V>; } IdentifierUri;`
        /// (draft-ietf-mimi-protocol-06 §5.2). Cloning shares the text.
        #[derive(Clone)]
        pub struct $name(Canonical);

        impl $name {
            /// Reads the identifier in its one accepted form.
            ///
            /// # Errors
            /// [`UriError`], [`UriError::Kind`] for an identifier of another kind.
            pub fn parse(text: &str) -> Result<Self, UriError> {
                let (canonical, kind) = Canonical::parse(text)?;
                if kind == $kind { Ok(Self(canonical)) } else { Err(UriError::Kind) }
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0.text
            }

            /// The provider that answers for this identifier.
            #[must_use]
            pub fn authority(&self) -> &Domain {
                &self.0.authority
            }

            /// The whole identifier as one path segment of a URL, for templates such as `/notify/{roomId}`.
            #[must_use]
            pub fn to_path_segment(&self) -> String {
                percent::encode_segment(self.as_str())
            }

            /// Reads a raw (still encoded) path segment. Any RFC 3986 spelling of the segment is accepted; the
            /// identifier inside must be canonical.
            ///
            /// # Errors
            /// As [`Self::parse`].
            pub fn from_path_segment(segment: &str) -> Result<Self, UriError> {
                Self::parse(&percent::decode_segment(segment)?)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }
        impl Eq for $name {}
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl FromStr for $name {
            type Err = UriError;
            fn from_str(text: &str) -> Result<Self, UriError> {
                Self::parse(text)
            }
        }
        impl TryFrom<&str> for $name {
            type Error = UriError;
            fn try_from(text: &str) -> Result<Self, UriError> {
                Self::parse(text)
            }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                put_opaque(out, self.as_str().as_bytes());
            }
        }
        impl Decode for $name {
            const NAME: &'static str = "IdentifierUri";
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                read_uri(r, Self::parse)
            }
        }
    };
}

macro_rules! named {
    ($name:ident, $kind:literal) => {
        impl $name {
            /// The identifier of `name` at `authority`; characters that need it are percent-encoded.
            ///
            /// # Errors
            /// [`UriError::EmptyName`], [`UriError::NameText`] or [`UriError::TooLong`].
            pub fn new(authority: &Domain, name: &str) -> Result<Self, UriError> {
                Self::parse(&format!(
                    "{SCHEME}{authority}/{}/{}",
                    $kind,
                    percent::encode_name(name)
                ))
            }

            /// The last path segment as it stands in the identifier, percent-encoded where needed.
            #[must_use]
            pub fn name(&self) -> &str {
                self.0.name()
            }

            /// The name as people read it, percent-encoding undone.
            #[must_use]
            pub fn decoded_name(&self) -> String {
                percent::decode_name(self.name()).unwrap_or_default()
            }

            /// The identifier of the provider that answers for this one.
            #[must_use]
            pub fn provider(&self) -> ProviderUri {
                ProviderUri::from(self.authority())
            }
        }
    };
}

identifier!(
    /// A person or account: `mimi://a.example/u/alice`.
    UserUri,
    Some('u')
);
identifier!(
    /// A client, one device of one user: `mimi://a.example/d/ClientA1`.
    ClientUri,
    Some('d')
);
identifier!(
    /// A room: `mimi://a.example/r/clubhouse`. Its authority is the room's hub.
    RoomUri,
    Some('r')
);
identifier!(
    /// The MLS group of a room: `mimi://a.example/g/clubhouse`.
    GroupUri,
    Some('g')
);
identifier!(
    /// A provider: `mimi://a.example`.
    ProviderUri,
    None
);
named!(UserUri, 'u');
named!(ClientUri, 'd');
named!(RoomUri, 'r');
named!(GroupUri, 'g');

impl From<&Domain> for ProviderUri {
    fn from(domain: &Domain) -> Self {
        let text: Arc<str> = format!("{SCHEME}{domain}").into();
        let name_at = text.len();
        Self(Canonical {
            text,
            authority: domain.clone(),
            name_at,
        })
    }
}

impl UserUri {
    /// Reads what a person types: an address `bob@b.example` or the identifier itself. The host of an address
    /// may be in any case, the name keeps its own.
    ///
    /// # Errors
    /// [`UriError::Address`] where there is no `@`, else as [`UserUri::parse`].
    pub fn from_address(text: &str) -> Result<Self, UriError> {
        if text.starts_with(SCHEME) {
            return Self::parse(text);
        }
        let (name, host) = text.rsplit_once('@').ok_or(UriError::Address)?;
        Self::new(&Domain::parse(&host.to_ascii_lowercase())?, name)
    }

    /// The address form, `bob@b.example`. [`UserUri::from_address`] reads it back.
    #[must_use]
    pub fn to_address(&self) -> String {
        format!("{}@{}", self.decoded_name(), self.authority())
    }
}

/// Any MIMI identifier.
///
/// On the wire it is an `IdentifierUri` (draft-ietf-mimi-protocol-06 §5.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MimiUri {
    /// `mimi://a.example`
    Provider(ProviderUri),
    /// `mimi://a.example/u/…`
    User(UserUri),
    /// `mimi://a.example/d/…`
    Client(ClientUri),
    /// `mimi://a.example/r/…`
    Room(RoomUri),
    /// `mimi://a.example/g/…`
    Group(GroupUri),
}

impl MimiUri {
    /// Reads an identifier of any kind.
    ///
    /// # Errors
    /// [`UriError`].
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let (canonical, kind) = Canonical::parse(text)?;
        Ok(match kind {
            None => Self::Provider(ProviderUri(canonical)),
            Some('u') => Self::User(UserUri(canonical)),
            Some('d') => Self::Client(ClientUri(canonical)),
            Some('r') => Self::Room(RoomUri(canonical)),
            Some(_) => Self::Group(GroupUri(canonical)),
        })
    }

    fn canonical(&self) -> &Canonical {
        match self {
            Self::Provider(ProviderUri(c))
            | Self::User(UserUri(c))
            | Self::Client(ClientUri(c))
            | Self::Room(RoomUri(c))
            | Self::Group(GroupUri(c)) => c,
        }
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.canonical().text
    }

    /// The provider that answers for this identifier.
    #[must_use]
    pub fn authority(&self) -> &Domain {
        &self.canonical().authority
    }

    /// The last path segment as it stands in the identifier; empty for a provider.
    #[must_use]
    pub fn name(&self) -> &str {
        self.canonical().name()
    }

    /// The whole identifier as one path segment of a URL.
    #[must_use]
    pub fn to_path_segment(&self) -> String {
        percent::encode_segment(self.as_str())
    }

    /// Reads a raw path segment that carries an identifier of any kind.
    ///
    /// # Errors
    /// [`UriError`].
    pub fn from_path_segment(segment: &str) -> Result<Self, UriError> {
        Self::parse(&percent::decode_segment(segment)?)
    }
}

impl fmt::Display for MimiUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MimiUri {
    type Err = UriError;
    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl Encode for MimiUri {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, self.as_str().as_bytes());
    }
}

impl Decode for MimiUri {
    const NAME: &'static str = "IdentifierUri";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_uri(r, Self::parse)
    }
}

fn read_uri<T>(r: &mut Reader<'_>, parse: fn(&str) -> Result<T, UriError>) -> Result<T, DecodeError> {
    // The longest provider identifier; `parse` holds the others to MAX_URI.
    const MAX_ANY: usize = 260;
    let at = r.offset();
    let bytes = r.opaque("uri", MAX_ANY)?;
    let parsed = std::str::from_utf8(bytes).ok().and_then(|text| parse(text).ok());
    parsed.ok_or_else(|| r.error_at(at, "uri", DecodeErrorKind::BadUri))
}
