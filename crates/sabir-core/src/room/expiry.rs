//! When messages expire (draft-ietf-mimi-room-policy-03 §6.8), and what of a message is against the rules of its room.
//!
//! No hub sees either. A client keeps to the rules in what it sends; what others sent against them is shown and marked,
//! since a message that is not shown is a message lost.

use sabir_wire::content::{Disposition, Expiration, MimiContent, PartBody};
use sabir_wire::policy::{ExpirationLimits, Governed};
use sabir_wire::uri::UserUri;
use thiserror::Error;

use super::assets::host;
use super::{FileFacts, FileRefusal, RoomState, may_send_file};
use crate::Millis;

/// A year and a day of leap, in seconds: no message is asked to expire later (draft-ietf-mimi-content §9.1).
pub const LONGEST_EXPIRY: u32 = 366 * 24 * 60 * 60;

/// What somebody who writes wants of expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpiryWish {
    /// What the room prefers.
    #[default]
    Room,
    /// So many seconds after it was read.
    After(u32),
    /// Never.
    Never,
}

/// Why a message cannot be sent so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ExpiryRefusal {
    /// Nothing expires here.
    #[error("in this room no message may expire")]
    Forbidden,
    /// Everything expires here.
    #[error("in this room every message expires")]
    Required,
    /// Sooner or later than the room lets messages expire.
    #[error("in this room a message expires after {0} to {1} seconds")]
    Bounds(u32, u32),
    /// In more than a year, or at once.
    #[error("a message expires after one second at the soonest and a year at the latest")]
    Span,
}

/// After how many seconds a message that is to be sent expires, if it does.
///
/// # Errors
/// [`ExpiryRefusal`].
pub fn expiry(state: &RoomState, wish: ExpiryWish) -> Result<Option<u32>, ExpiryRefusal> {
    if let ExpiryWish::After(seconds) = wish
        && !(1..=LONGEST_EXPIRY).contains(&seconds)
    {
        return Err(ExpiryRefusal::Span);
    }
    let policy = state.features.expiration.as_ref();
    let preferred = |limits: &ExpirationLimits| limits.default_expiration_duration;
    match (policy.map(|policy| &policy.expiring_messages), wish) {
        (Some(Governed::Forbidden), ExpiryWish::After(_)) => Err(ExpiryRefusal::Forbidden),
        (Some(Governed::Required(_)), ExpiryWish::Never) => Err(ExpiryRefusal::Required),
        (Some(Governed::Required(limits) | Governed::Optional(limits)), ExpiryWish::After(seconds)) => {
            within(limits, seconds).map(|()| Some(seconds))
        }
        // Where nothing is preferred, what stays longest is the least surprise.
        (Some(Governed::Required(limits)), ExpiryWish::Room) => Ok(Some(sane(
            preferred(limits).unwrap_or(limits.max_expiration_duration),
        ))),
        (Some(Governed::Optional(limits)), ExpiryWish::Room) => Ok(preferred(limits).map(sane)),
        (None, ExpiryWish::After(seconds)) => Ok(Some(seconds)),
        (None | Some(Governed::Optional(_)), ExpiryWish::Never)
        | (None, ExpiryWish::Room)
        | (Some(Governed::Forbidden), ExpiryWish::Never | ExpiryWish::Room) => Ok(None),
    }
}

/// A room may prefer what nobody else would take.
fn sane(seconds: u32) -> u32 {
    seconds.clamp(1, LONGEST_EXPIRY)
}

fn within(limits: &ExpirationLimits, seconds: u32) -> Result<(), ExpiryRefusal> {
    let (least, most) = (limits.min_expiration_duration, limits.max_expiration_duration);
    if (least..=most).contains(&seconds) {
        Ok(())
    } else {
        Err(ExpiryRefusal::Bounds(least, most))
    }
}

/// What of a message is against the room's rules, as they are when it takes its place: a sentence each, without full stops.
#[must_use]
pub fn against_rules(
    state: &RoomState,
    sender: &UserUri,
    content: &MimiContent,
    accepted: Millis,
) -> Vec<String> {
    let mut said: Vec<String> = expiry_against(state, content.expires, accepted)
        .map(str::to_owned)
        .into_iter()
        .collect();
    let files = content.parts().filter_map(|found| match &found.part.body {
        // A session is joined, not fetched (draft-ietf-mimi-content §5.10).
        PartBody::External(part) if found.part.disposition != Disposition::SESSION => {
            Some((part, found.part.disposition))
        }
        _ => None,
    });
    for (part, disposition) in files {
        let shown = disposition == Disposition::RENDER || disposition == Disposition::INLINE;
        let facts = FileFacts {
            content_type: &part.content_type,
            size: part.size,
            shown,
            // A place that cannot be told is none that is allowed.
            host: Some(host(&part.url).unwrap_or_default()),
        };
        if let Err(refusal) = may_send_file(state, sender, facts) {
            said.push(match refusal {
                FileRefusal::Role(_) => "its sender may not send such files here".to_owned(),
                other => other.to_string(),
            });
        }
    }
    said.dedup();
    said
}

fn expiry_against(state: &RoomState, expires: Option<Expiration>, accepted: Millis) -> Option<&'static str> {
    let seconds = accepted / 1_000;
    // draft-ietf-mimi-content §9.1 discards such a message; that it asks for nonsense is no reason to lose what it says.
    if expires.is_some_and(|expires| !expires.is_plausible_at(seconds)) {
        return Some("the time at which it asks to expire is more than a year away");
    }
    let policy = state.features.expiration.as_ref()?;
    let after = match expires {
        None => None,
        Some(Expiration::Relative(after)) => Some(u64::from(after)),
        Some(Expiration::Absolute(at)) => Some(u64::from(at).saturating_sub(seconds)),
    };
    match (&policy.expiring_messages, after) {
        (Governed::Required(_), None) => Some("it does not expire, as every message here should"),
        (Governed::Forbidden, Some(_)) => Some("it expires, as no message here should"),
        (Governed::Required(limits) | Governed::Optional(limits), Some(after))
            if after < limits.min_expiration_duration.into()
                || after > limits.max_expiration_duration.into() =>
        {
            Some("it expires sooner or later than messages here should")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use sabir_wire::content::{Origin, Salt};
    use sabir_wire::policy::MessageExpiration;

    use super::super::Template;
    use super::super::features::tests::room;
    use super::*;

    const NOW: Millis = 1_800_000_000_000;

    fn limits() -> ExpirationLimits {
        ExpirationLimits {
            min_expiration_duration: 10,
            max_expiration_duration: 100,
            default_expiration_duration: Some(50),
        }
    }

    fn state(policy: Option<Governed<ExpirationLimits>>) -> RoomState {
        let mut state = room(Template::Private);
        state.features.expiration = policy.map(|expiring_messages| MessageExpiration { expiring_messages });
        state
    }

    #[test]
    fn what_is_sent_expires_as_the_room_says() {
        use ExpiryRefusal as R;
        use ExpiryWish::{After, Never, Room};
        let endless = ExpirationLimits {
            max_expiration_duration: u32::MAX,
            default_expiration_duration: None,
            ..limits()
        };
        let unsure = ExpirationLimits {
            default_expiration_duration: None,
            ..limits()
        };
        let table = [
            (None, Room, Ok(None)),
            (None, Never, Ok(None)),
            (None, After(5), Ok(Some(5))),
            (None, After(0), Err(R::Span)),
            (None, After(LONGEST_EXPIRY), Ok(Some(LONGEST_EXPIRY))),
            (None, After(LONGEST_EXPIRY + 1), Err(R::Span)),
            (Some(Governed::Forbidden), Room, Ok(None)),
            (Some(Governed::Forbidden), After(50), Err(R::Forbidden)),
            (Some(Governed::Optional(limits())), Room, Ok(Some(50))),
            (Some(Governed::Optional(limits())), Never, Ok(None)),
            (Some(Governed::Optional(unsure)), Room, Ok(None)),
            (Some(Governed::Optional(limits())), After(100), Ok(Some(100))),
            (
                Some(Governed::Optional(limits())),
                After(101),
                Err(R::Bounds(10, 100)),
            ),
            (Some(Governed::Required(limits())), Room, Ok(Some(50))),
            (Some(Governed::Required(unsure)), Room, Ok(Some(100))),
            (Some(Governed::Required(endless)), Room, Ok(Some(LONGEST_EXPIRY))),
            (Some(Governed::Required(limits())), Never, Err(R::Required)),
            (
                Some(Governed::Required(limits())),
                After(9),
                Err(R::Bounds(10, 100)),
            ),
        ];
        for (policy, wish, expected) in table {
            let (room, said) = (state(policy.clone()), format!("{policy:?} {wish:?}"));
            assert_eq!(expiry(&room, wish), expected, "{said}");
        }
    }

    #[test]
    fn what_is_against_the_rules_is_said() {
        let user = room(Template::Private)
            .participants
            .participants
            .first()
            .unwrap()
            .user
            .clone();
        let said = |policy, expires: Option<Expiration>| {
            let origin = Origin {
                salt: Salt([1; 16]),
                sender_uri: user.as_str(),
                room_uri: "mimi://a.example/r/abc",
            };
            let mut content = MimiContent::plain(origin, "hello");
            content.expires = expires;
            against_rules(&state(policy), &user, &content, NOW)
        };
        let at = |seconds: u32| Some(Expiration::Absolute(1_800_000_000 + seconds));
        let after = |seconds: u32| Some(Expiration::Relative(seconds));
        let required = || Some(Governed::Required(limits()));
        for (policy, expires) in [
            (None, None),
            (None, after(5)),
            (required(), after(10)),
            (required(), at(100)),
            (Some(Governed::Optional(limits())), None),
            (Some(Governed::Forbidden), None),
        ] {
            assert_eq!(
                said(policy.clone(), expires),
                Vec::<String>::new(),
                "{policy:?} {expires:?}"
            );
        }
        for (policy, expires, expected) in [
            (required(), None, "it does not expire"),
            (required(), after(9), "sooner or later"),
            (required(), at(101), "sooner or later"),
            (Some(Governed::Optional(limits())), after(101), "sooner or later"),
            (Some(Governed::Forbidden), after(50), "it expires, as no"),
            (None, after(LONGEST_EXPIRY + 1), "more than a year away"),
            (required(), Some(Expiration::Absolute(0)), "more than a year away"),
        ] {
            let said = said(policy.clone(), expires);
            assert!(
                said.len() == 1 && said.iter().all(|it| it.contains(expected)),
                "{policy:?} {expires:?} {said:?}"
            );
        }
    }
}
