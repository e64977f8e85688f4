//! To whom: an address, a person's identifier or a room's.

use sabir_wire::uri::{MimiUri, UserUri};

use super::failure::{Exit, Failure};
use crate::rpc::code::Code;

/// Whom a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    /// A person, by address.
    Person(String),
    /// A room, by identifier.
    Room(String),
}

/// Reads what was typed, so that a slip is told before anything happens.
pub(super) fn check(text: &str) -> Result<To, Failure> {
    if text.starts_with("mimi://") {
        return match MimiUri::parse(text) {
            Ok(MimiUri::User(user)) => Ok(To::Person(user.to_address())),
            Ok(MimiUri::Room(room)) => Ok(To::Room(room.as_str().to_owned())),
            Ok(_) => Err(malformed("it names neither a person nor a room")),
            Err(error) => Err(malformed(&error.to_string())),
        };
    }
    match UserUri::from_address(text) {
        Ok(user) => Ok(To::Person(user.to_address())),
        Err(error) => Err(malformed(&error.to_string())),
    }
}

fn malformed(why: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        Code::AddressMalformed.name(),
        format!("this is no address: {why}"),
    )
    .hint("addresses look like bob@b.example or mimi://b.example/u/bob, rooms like mimi://b.example/r/ID")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_are_read() {
        let bob = To::Person("bob@b.example".to_owned());
        for (text, to) in [
            ("bob@b.example", bob.clone()),
            ("bob@B.Example", bob.clone()),
            ("mimi://b.example/u/bob", bob),
            (
                "mimi://b.example/r/x",
                To::Room("mimi://b.example/r/x".to_owned()),
            ),
        ] {
            assert_eq!(check(text), Ok(to), "{text}");
        }
    }

    #[test]
    fn slips_are_usage_errors_with_a_hint() {
        for text in [
            "",
            "bob",
            "@",
            "bob@",
            "@b.example",
            "bob@b_b",
            "a b@",
            "mimi://",
            "mimi://b.example",
            "mimi://b.example/d/x",
            "mimi://b.example/g/x",
            "mimi://b.example/u/",
            "MIMI://b.example/u/bob",
            "mimi://b.example/u/bob?x",
            "bob@b.example:443",
            "https://b.example/u/bob",
        ] {
            let failure = check(text).unwrap_err();
            assert_eq!(
                (failure.exit, failure.name.as_str()),
                (Exit::Usage, "address_malformed"),
                "{text}"
            );
            assert_eq!(failure.hints.len(), 1, "{text}");
        }
    }
}
