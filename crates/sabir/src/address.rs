//! To whom: an address, a person's identifier, a room's, or what a group is called.

use sabir_wire::uri::{MimiUri, RoomUri, UriError, UserUri};

/// Whom a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    /// A person.
    Person(UserUri),
    /// A room.
    Room(RoomUri),
    /// A group, by what it is called.
    Name(String),
}

/// A text names neither a person nor a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAnAddress {
    /// It is an identifier of something else.
    #[error("this is no address: it names neither a person nor a room")]
    Kind,
    /// It is no identifier.
    #[error("this is no address: {0}")]
    Malformed(#[from] UriError),
}

/// What to do about [`NotAnAddress`].
pub(crate) const HINT: &str = "addresses look like bob@b.example or mimi://b.example/u/bob, rooms like mimi://b.example/r/ID; groups go by name too";

impl To {
    /// Reads what a person typed.
    ///
    /// # Errors
    /// [`NotAnAddress`].
    pub(crate) fn parse(text: &str) -> Result<Self, NotAnAddress> {
        if !text.starts_with("mimi://") {
            return match UserUri::from_address(text) {
                Ok(person) => Ok(Self::Person(person)),
                // Whoever slips in an address has written most of one.
                Err(slip) if text.is_empty() || text.contains('@') || text.contains("://") => {
                    Err(slip.into())
                }
                Err(_) => Ok(Self::Name(text.to_owned())),
            };
        }
        match MimiUri::parse(text)? {
            MimiUri::User(user) => Ok(Self::Person(user)),
            MimiUri::Room(room) => Ok(Self::Room(room)),
            _ => Err(NotAnAddress::Kind),
        }
    }

    /// As people read it: a person's address, a room's identifier or name.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Person(user) => user.to_address(),
            Self::Room(room) => room.as_str().to_owned(),
            Self::Name(name) => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, name) in [
            ("bob@b.example", "bob@b.example"),
            ("bob@B.Example", "bob@b.example"),
            ("mimi://b.example/u/bob", "bob@b.example"),
            ("mimi://b.example/r/x", "mimi://b.example/r/x"),
            ("bob", "bob"),
            ("The Hikers", "The Hikers"),
        ] {
            assert_eq!(To::parse(text).unwrap().name(), name, "{text}");
        }
    }

    #[test]
    fn slips_are_refused() {
        for text in [
            "",
            "@",
            "bob@",
            "@b.example",
            "bob@b_b",
            "a b@",
            "mimi://",
            "MIMI://b.example/u/bob",
            "mimi://b.example/u/",
            "mimi://b.example/u/bob?x",
            "bob@b.example:443",
            "https://b.example/u/bob",
        ] {
            assert!(
                matches!(To::parse(text), Err(NotAnAddress::Malformed(_))),
                "{text}"
            );
        }
        for text in ["mimi://b.example", "mimi://b.example/d/x", "mimi://b.example/g/x"] {
            assert_eq!(To::parse(text), Err(NotAnAddress::Kind), "{text}");
        }
    }
}
