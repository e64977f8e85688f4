//! Which provider may say what.
//!
//! A verified `From` says who speaks; this table says whether that provider may say this. It is pure, so that a
//! handler cannot forget half of it and a test can hold the whole of it.
//!
//! | request | addressed to | `From` must be |
//! |---|---|---|
//! | notify | us as follower | the room's authority |
//! | keyMaterial | us as hub | the requester's authority |
//! | keyMaterial | us as target | the requester's authority, or the room's when its hub relays |
//! | submitMessage | us as hub | the authority of `sendingUri` |
//! | update | us as hub | the authority of the committer's or proposer's leaf |
//! | groupInfo | us as hub | the authority of the requesting credential |
//! | requestConsent | the target's provider | the requester's authority |
//! | updateConsent | the requester's provider | the target's authority |
//! | reportAbuse | us as hub | the reporting user's authority, where named |

use sabir_wire::uri::{Domain, RoomUri, UserUri};

use crate::error::Error;

/// What a request claims, as far as authority depends on it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Claim<'a> {
    /// Fan-out of a room's events (draft-ietf-mimi-protocol-06 §5.5).
    Notify {
        /// The room in the path.
        room: &'a RoomUri,
    },
    /// Key material of `target` for `requester` (draft-ietf-mimi-protocol-06 §5.2).
    KeyMaterial {
        /// Who asks. The request's signature proves it, also through a hub.
        requester: &'a UserUri,
        /// Whose key packages.
        target: &'a UserUri,
        /// For which room, where named.
        room: Option<&'a RoomUri>,
    },
    /// A message for a room (draft-ietf-mimi-protocol-06 §5.4).
    SubmitMessage {
        /// The room in the path.
        room: &'a RoomUri,
        /// `sendingUri`.
        sender: &'a UserUri,
    },
    /// A change of a room (draft-ietf-mimi-protocol-06 §5.3).
    Update {
        /// The room in the path.
        room: &'a RoomUri,
        /// Authority of the committer's or proposer's leaf.
        actor: &'a Domain,
    },
    /// Asking for a room's GroupInfo (draft-ietf-mimi-protocol-06 §5.6).
    GroupInfo {
        /// The room in the path.
        room: &'a RoomUri,
        /// Authority of the requesting credential.
        requester: &'a Domain,
    },
    /// Asking for consent, or taking the question back (draft-ietf-mimi-protocol-06 §5.7).
    RequestConsent {
        /// Who asks.
        requester: &'a UserUri,
        /// Who is asked.
        target: &'a UserUri,
    },
    /// Giving or revoking consent (draft-ietf-mimi-protocol-06 §5.7).
    UpdateConsent {
        /// Who may ask for key packages later.
        requester: &'a UserUri,
        /// Whose they are.
        target: &'a UserUri,
    },
    /// Reporting abuse (draft-ietf-mimi-protocol-06 §5.9).
    ReportAbuse {
        /// The room in the path.
        room: &'a RoomUri,
        /// Who reports, where named.
        reporter: Option<&'a UserUri>,
    },
}

/// Says whether `from` may send this to `ours`.
///
/// # Errors
/// [`Error::NotFound`] when the request is not for us, [`Error::WrongAuthority`] when `from` may not say it.
pub fn authorise_from(from: &Domain, ours: &Domain, claim: Claim<'_>) -> Result<(), Error> {
    match claim {
        Claim::Notify { room } => {
            speaks(from, room.authority(), "only a room's hub fans out its events")?;
            // An event of our own room coming back is not ours to follow.
            if room.authority() == ours {
                Err(Error::NotFound("room"))
            } else {
                Ok(())
            }
        }
        Claim::KeyMaterial {
            requester,
            target,
            room,
        } => {
            let we_are_hub = room.is_some_and(|room| room.authority() == ours);
            if !we_are_hub && target.authority() != ours {
                return Err(Error::NotFound("user"));
            }
            let relayed = !we_are_hub && room.is_some_and(|room| room.authority() == from);
            if relayed {
                return Ok(());
            }
            speaks(
                from,
                requester.authority(),
                "the requester is not its user, the room not its own",
            )
        }
        Claim::SubmitMessage { room, sender } => {
            hub(room, ours)?;
            speaks(from, sender.authority(), "the sender is not its user")
        }
        Claim::Update { room, actor } => {
            hub(room, ours)?;
            speaks(from, actor, "the committer or proposer is not its user")
        }
        Claim::GroupInfo { room, requester } => {
            hub(room, ours)?;
            speaks(from, requester, "the requester is not its user")
        }
        Claim::RequestConsent { requester, target } => {
            user(target, ours)?;
            speaks(from, requester.authority(), "the requester is not its user")
        }
        Claim::UpdateConsent { requester, target } => {
            user(requester, ours)?;
            speaks(from, target.authority(), "the target is not its user")
        }
        Claim::ReportAbuse { room, reporter } => {
            hub(room, ours)?;
            reporter.map_or(Ok(()), |user| {
                speaks(from, user.authority(), "the reporting user is not its user")
            })
        }
    }
}

fn speaks(from: &Domain, needed: &Domain, reason: &'static str) -> Result<(), Error> {
    if from == needed {
        Ok(())
    } else {
        Err(Error::WrongAuthority(reason))
    }
}

fn hub(room: &RoomUri, ours: &Domain) -> Result<(), Error> {
    if room.authority() == ours {
        Ok(())
    } else {
        Err(Error::NotFound("room"))
    }
}

fn user(user: &UserUri, ours: &Domain) -> Result<(), Error> {
    if user.authority() == ours {
        Ok(())
    } else {
        Err(Error::NotFound("user"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Verdict {
        Yes,
        NotHere,
        NotYours,
    }
    use Verdict::{NotHere, NotYours, Yes};

    /// We are a.example. Columns: claim, then what b.example and c.example may do.
    #[test]
    fn the_table() {
        let user = |text: &str| UserUri::from_address(text).unwrap();
        let room = |text: &str| RoomUri::parse(text).unwrap();
        let domain = |text: &str| Domain::parse(text).unwrap();
        let (alice, bob, cathy) = (
            user("alice@a.example"),
            user("bob@b.example"),
            user("cathy@c.example"),
        );
        let (room_a, room_b) = (room("mimi://a.example/r/1"), room("mimi://b.example/r/1"));
        let (a, b, c) = (domain("a.example"), domain("b.example"), domain("c.example"));
        let key = |requester, target, room| Claim::KeyMaterial {
            requester,
            target,
            room,
        };

        for (row, claim, from_b, from_c) in [
            (
                "notify of b's room",
                Claim::Notify { room: &room_b },
                Yes,
                NotYours,
            ),
            (
                "notify of our room",
                Claim::Notify { room: &room_a },
                NotYours,
                NotYours,
            ),
            ("keys at the hub", key(&bob, &cathy, Some(&room_a)), Yes, NotYours),
            (
                "keys at the hub of its user",
                key(&bob, &alice, Some(&room_a)),
                Yes,
                NotYours,
            ),
            (
                "keys at the target, direct",
                key(&bob, &alice, None),
                Yes,
                NotYours,
            ),
            (
                "keys at the target, by the hub",
                key(&cathy, &alice, Some(&room_b)),
                Yes,
                Yes,
            ),
            (
                "keys of a stranger, not for us",
                key(&bob, &cathy, Some(&room_b)),
                NotHere,
                NotHere,
            ),
            (
                "keys of a stranger, no room",
                key(&bob, &cathy, None),
                NotHere,
                NotHere,
            ),
            (
                "submit",
                Claim::SubmitMessage {
                    room: &room_a,
                    sender: &bob,
                },
                Yes,
                NotYours,
            ),
            (
                "submit as one of ours",
                Claim::SubmitMessage {
                    room: &room_a,
                    sender: &alice,
                },
                NotYours,
                NotYours,
            ),
            (
                "submit elsewhere",
                Claim::SubmitMessage {
                    room: &room_b,
                    sender: &bob,
                },
                NotHere,
                NotHere,
            ),
            (
                "update",
                Claim::Update {
                    room: &room_a,
                    actor: &b,
                },
                Yes,
                NotYours,
            ),
            (
                "update elsewhere",
                Claim::Update {
                    room: &room_b,
                    actor: &b,
                },
                NotHere,
                NotHere,
            ),
            (
                "group info",
                Claim::GroupInfo {
                    room: &room_a,
                    requester: &c,
                },
                NotYours,
                Yes,
            ),
            (
                "group info elsewhere",
                Claim::GroupInfo {
                    room: &room_b,
                    requester: &c,
                },
                NotHere,
                NotHere,
            ),
            (
                "ask consent",
                Claim::RequestConsent {
                    requester: &bob,
                    target: &alice,
                },
                Yes,
                NotYours,
            ),
            (
                "ask consent of theirs",
                Claim::RequestConsent {
                    requester: &bob,
                    target: &cathy,
                },
                NotHere,
                NotHere,
            ),
            (
                "give consent",
                Claim::UpdateConsent {
                    requester: &alice,
                    target: &bob,
                },
                Yes,
                NotYours,
            ),
            (
                "give consent to theirs",
                Claim::UpdateConsent {
                    requester: &cathy,
                    target: &bob,
                },
                NotHere,
                NotHere,
            ),
            (
                "report",
                Claim::ReportAbuse {
                    room: &room_a,
                    reporter: Some(&bob),
                },
                Yes,
                NotYours,
            ),
            (
                "report, unnamed",
                Claim::ReportAbuse {
                    room: &room_a,
                    reporter: None,
                },
                Yes,
                Yes,
            ),
            (
                "report elsewhere",
                Claim::ReportAbuse {
                    room: &room_b,
                    reporter: None,
                },
                NotHere,
                NotHere,
            ),
        ] {
            for (from, expected) in [(&b, from_b), (&c, from_c)] {
                let verdict = match authorise_from(from, &a, claim) {
                    Ok(()) => Yes,
                    Err(Error::NotFound(_)) => NotHere,
                    Err(_) => NotYours,
                };
                assert_eq!(verdict, expected, "{row}, from {from}");
            }
        }
        // Nobody may speak as us to us.
        assert!(authorise_from(&a, &a, Claim::Notify { room: &room_a }).is_err());
    }
}
