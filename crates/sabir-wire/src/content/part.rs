use std::fmt;

use zeroize::Zeroizing;

use super::HashAlgorithm;

/// One part of a message's body (draft-ietf-mimi-content §4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedPart {
    /// What the part is for.
    pub disposition: Disposition,
    /// Language tags separated by commas (RFC 5646), or empty.
    pub language: String,
    /// The part itself.
    pub body: PartBody,
}

/// What a part consists of: the draft's cardinality with the fields of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartBody {
    /// Nothing: the message deletes or takes back another.
    Null,
    /// Content within the message.
    Single(SinglePart),
    /// Content elsewhere.
    External(ExternalPart),
    /// Several parts.
    Multi(MultiPart),
}

/// Content within the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinglePart {
    /// IANA media type with parameters.
    pub content_type: String,
    /// The content in that type.
    pub content: Vec<u8>,
}

/// Content that is fetched from a URL, usually encrypted there (draft-ietf-mimi-content §4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalPart {
    /// IANA media type of the plaintext, or empty for a service.
    pub content_type: String,
    /// Where it is.
    pub url: String,
    /// Second since the UNIX epoch at which it is gone; 0 for never.
    pub expires: u32,
    /// Size in bytes; 0 where it is not given.
    pub size: u64,
    /// How it is encrypted.
    pub enc_alg: AeadAlgorithm,
    /// The key it is encrypted with; empty where it is not.
    pub key: ContentKey,
    /// The nonce it is encrypted with; empty where it is not.
    pub nonce: Vec<u8>,
    /// The additional authenticated data it is encrypted with; usually empty.
    pub aad: Vec<u8>,
    /// How `content_hash` is made.
    pub hash_alg: HashAlgorithm,
    /// Hash of what the URL gives.
    pub content_hash: Vec<u8>,
    /// What it is, for people; may be empty.
    pub description: String,
    /// A file name to suggest; may be empty. It is a stranger's text: never a path.
    pub filename: String,
}

/// Several parts and how they relate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiPart {
    /// How the parts relate.
    pub semantics: PartSemantics,
    /// At least two parts.
    pub parts: Vec<NestedPart>,
}

/// How the parts of a [`MultiPart`] relate (draft-ietf-mimi-content §4.4). Messages with other values are
/// discarded (draft-ietf-mimi-content §9.1), so this is an enumeration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartSemantics {
    /// The receiver picks one; the order is the sender's preference.
    ChooseOne,
    /// All together or none.
    SingleUnit,
    /// As many as the receiver can.
    ProcessAll,
}

impl PartSemantics {
    pub(super) fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::ChooseOne),
            1 => Some(Self::SingleUnit),
            2 => Some(Self::ProcessAll),
            _ => None,
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::ChooseOne => 0,
            Self::SingleUnit => 1,
            Self::ProcessAll => 2,
        }
    }
}

/// What a part is for (draft-ietf-mimi-content §8.2.2). Unknown values survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disposition(pub u8);

impl Disposition {
    /// No hint.
    pub const UNSPECIFIED: Self = Self(0);
    /// Rendered by the receiver's own rules.
    pub const RENDER: Self = Self(1);
    /// One reaction to another message.
    pub const REACTION: Self = Self(2);
    /// A profile of a participant or room.
    pub const PROFILE: Self = Self(3);
    /// Rendered directly in the conversation.
    pub const INLINE: Self = Self(4);
    /// An icon such as an avatar.
    pub const ICON: Self = Self(5);
    /// Meant to be downloaded rather than rendered.
    pub const ATTACHMENT: Self = Self(6);
    /// A multimedia session, or a URI to join one.
    pub const SESSION: Self = Self(7);
    /// The sender's preview of something, such as what a link points to.
    pub const PREVIEW: Self = Self(8);

    /// The disposition to act on: a value nobody knows means [`Disposition::RENDER`]
    /// (draft-ietf-mimi-content §9.1).
    #[must_use]
    pub fn effective(self) -> Self {
        if self.0 > Self::PREVIEW.0 {
            Self::RENDER
        } else {
            self
        }
    }
}

/// An AEAD algorithm of the IANA registry (RFC 5116). Unknown values survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AeadAlgorithm(pub u16);

impl AeadAlgorithm {
    /// Not encrypted.
    pub const NONE: Self = Self(0);
    /// AES-128-GCM, which every client knows (draft-ietf-mimi-content §4.5).
    pub const AES_128_GCM: Self = Self(1);
    /// AES-256-GCM.
    pub const AES_256_GCM: Self = Self(2);
    /// ChaCha20-Poly1305.
    pub const CHACHA20_POLY1305: Self = Self(29);
}

/// The key of external content. It is wiped when dropped, and [`fmt::Debug`] does not show it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ContentKey(Zeroizing<Vec<u8>>);

impl ContentKey {
    /// Takes the bytes of a key.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes of the key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(..)")
    }
}

impl NestedPart {
    /// Nothing, for `disposition`.
    #[must_use]
    pub fn null(disposition: Disposition) -> Self {
        Self {
            disposition,
            language: String::new(),
            body: PartBody::Null,
        }
    }

    /// Content within the message, of a media type such as [`super::TEXT_PLAIN`].
    #[must_use]
    pub fn single(disposition: Disposition, content_type: &str, content: impl Into<Vec<u8>>) -> Self {
        let single = SinglePart {
            content_type: content_type.to_owned(),
            content: content.into(),
        };
        Self {
            disposition,
            language: String::new(),
            body: PartBody::Single(single),
        }
    }

    /// Content elsewhere.
    #[must_use]
    pub fn external(disposition: Disposition, external: ExternalPart) -> Self {
        Self {
            disposition,
            language: String::new(),
            body: PartBody::External(external),
        }
    }

    /// At least two parts.
    #[must_use]
    pub fn multi(disposition: Disposition, semantics: PartSemantics, parts: Vec<Self>) -> Self {
        let multi = MultiPart { semantics, parts };
        Self {
            disposition,
            language: String::new(),
            body: PartBody::Multi(multi),
        }
    }

    /// The same part in a language: tags separated by commas (RFC 5646).
    #[must_use]
    pub fn in_language(mut self, language: &str) -> Self {
        language.clone_into(&mut self.language);
        self
    }

    /// The media type of inline or external content.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        match &self.body {
            PartBody::Single(single) => Some(&single.content_type),
            PartBody::External(external) => Some(&external.content_type),
            PartBody::Null | PartBody::Multi(_) => None,
        }
    }

    /// The parts directly inside.
    #[must_use]
    pub fn children(&self) -> &[Self] {
        match &self.body {
            PartBody::Multi(multi) => &multi.parts,
            _ => &[],
        }
    }
}
