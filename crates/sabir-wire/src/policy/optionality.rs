use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::enumeration::enumeration;

enumeration! {
    /// Whether something is left to the client, demanded or not allowed (draft-ietf-mimi-room-policy-03 §6.1).
    ///
    /// ```text
    /// enum {
    ///   optional(0),
    ///   required(1),
    ///   forbidden(2)
    /// } Optionality;
    /// ```
    Optionality, "Optionality" {
        /// Each client decides.
        Optional = 0;
        /// Every client does; the draft's syntax also says `mandatory`.
        Required = 1;
        /// No client does.
        Forbidden = 2;
    }
}

/// An [`Optionality`] that brings details with it unless it is [`Optionality::Forbidden`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Governed<T> {
    /// Each client decides, within these details.
    Optional(T),
    /// Every client does, as these details say.
    Required(T),
    /// No client does.
    Forbidden,
}

impl<T> Governed<T> {
    /// The value alone.
    #[must_use]
    pub fn optionality(&self) -> Optionality {
        match self {
            Self::Optional(_) => Optionality::Optional,
            Self::Required(_) => Optionality::Required,
            Self::Forbidden => Optionality::Forbidden,
        }
    }

    /// The details, unless forbidden.
    #[must_use]
    pub fn details(&self) -> Option<&T> {
        match self {
            Self::Optional(details) | Self::Required(details) => Some(details),
            Self::Forbidden => None,
        }
    }
}

impl<T: Encode> Encode for Governed<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.optionality().encode(out);
        if let Some(details) = self.details() {
            details.encode(out);
        }
    }
}

impl<T: Decode> Governed<T> {
    /// Reads the value as `field` and the details under the name of their own structure.
    pub(super) fn read(r: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match r.read_as(field)? {
            Optionality::Optional => Self::Optional(r.read_as(field)?),
            Optionality::Required => Self::Required(r.read_as(field)?),
            Optionality::Forbidden => Self::Forbidden,
        })
    }
}
