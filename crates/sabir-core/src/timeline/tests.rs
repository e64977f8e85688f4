#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sabir_wire::content::{
    Disposition, MessageId, MimiContent, NestedPart, Origin, PartSemantics, Salt, TEXT_PLAIN,
};
use sabir_wire::mls::{Credential, SignaturePublicKey};
use sabir_wire::policy::CapabilityType;
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::status::{MIMI_MESSAGE_STATUS, MessageStatus, MessageStatusReport};
use sabir_wire::uri::{RoomUri, UserUri};

use super::*;
use crate::room::{DirectRoom, RoomState};

const ROOM: &str = "mimi://a.example/r/x";
const ALL: &[CapabilityType] = &[
    CapabilityType::CAN_SEND_MESSAGE,
    CapabilityType::CAN_REPLY_TO_MESSAGE,
    CapabilityType::CAN_REACT_TO_MESSAGE,
    CapabilityType::CAN_EDIT_REACTION,
    CapabilityType::CAN_DELETE_OWN_REACTION,
    CapabilityType::CAN_DELETE_OTHER_REACTION,
    CapabilityType::CAN_EDIT_OWN_MESSAGE,
    CapabilityType::CAN_DELETE_OWN_MESSAGE,
    CapabilityType::CAN_DELETE_OTHER_MESSAGE,
];

fn user(name: &str) -> UserUri {
    UserUri::parse(&format!("mimi://a.example/u/{name}")).unwrap()
}

fn origin(salt: u8) -> Origin<'static> {
    Origin {
        salt: Salt([salt; 16]),
        sender_uri: "mimi://a.example/u/alice",
        room_uri: ROOM,
    }
}

fn id(number: u8) -> MessageId {
    let mut bytes = [number; 32];
    bytes[0] = 1;
    MessageId::new(bytes).unwrap()
}

/// A room in which Alice and Bob hold these capabilities.
fn room(capabilities: &[CapabilityType]) -> RoomState {
    let direct = DirectRoom {
        room: RoomUri::parse(ROOM).unwrap(),
        people: [user("alice"), user("bob")],
        franking_agent: agent(),
    };
    let dictionary: BTreeMap<u16, Vec<u8>> = direct.dictionary().into_iter().collect();
    let mut state = RoomState::read(|component| dictionary.get(&component.0).cloned()).unwrap();
    for role in &mut state.roles.roles {
        role.role_capabilities = capabilities.to_vec();
    }
    state
}

fn agent() -> FrankingAgentData {
    FrankingAgentData {
        franking_signature_key: SignaturePublicKey(vec![1; 32]),
        credential: Credential::Basic { identity: vec![1] },
    }
}

fn without(missing: CapabilityType) -> Vec<CapabilityType> {
    ALL.iter().copied().filter(|held| *held != missing).collect()
}

fn react() -> Act {
    Act::React {
        to: id(1),
        reactions: vec!["👍".to_owned()],
    }
}

fn edit(becomes: Becomes) -> Act {
    Act::Edit { of: id(1), becomes }
}

fn delete() -> Act {
    Act::Delete { of: id(1) }
}

fn reactions() -> Becomes {
    Becomes::Reactions(vec!["🎉".to_owned()])
}

#[test]
fn what_a_message_is_for_is_read_off_its_content() {
    let plain = MimiContent::plain(origin(1), "hello");
    let report = MessageStatusReport::of(MessageStatus::READ, &[id(4)]);
    let status = |content_type: &str, bytes: Vec<u8>| {
        MimiContent::new(
            origin(2),
            NestedPart::single(Disposition::UNSPECIFIED, content_type, bytes),
        )
    };
    let part = |text: &str| NestedPart::single(Disposition::REACTION, TEXT_PLAIN, text);
    let picture = NestedPart::single(Disposition::REACTION, "image/png", vec![1]);
    let many: Vec<_> = (0..17).map(|n| part(&format!("r{n}"))).collect();
    let multi = |parts| NestedPart::multi(Disposition::REACTION, PartSemantics::ProcessAll, parts);
    let reply = || Ok(Act::Reply { to: id(3) });
    let table = [
        ("text", plain.clone(), Ok(Act::Say)),
        ("reply", plain.clone().replying_to(id(3)), reply()),
        (
            "reaction",
            MimiContent::reaction(origin(1), id(3), "❤"),
            Ok(Act::React {
                to: id(3),
                reactions: vec!["❤".to_owned()],
            }),
        ),
        (
            "reactions, one of them twice",
            MimiContent::reactions(origin(1), id(3), &["❤", "👍", "❤"]),
            Ok(Act::React {
                to: id(3),
                reactions: vec!["❤".to_owned(), "👍".to_owned()],
            }),
        ),
        (
            "a picture for a reaction",
            MimiContent::new(origin(1), picture).replying_to(id(3)),
            reply(),
        ),
        (
            "a letter for a reaction",
            MimiContent::reaction(origin(1), id(3), &"x".repeat(MAX_REACTION + 1)),
            reply(),
        ),
        (
            "words for a reaction",
            MimiContent::reaction(origin(1), id(3), "not at all"),
            reply(),
        ),
        (
            "an empty reaction",
            MimiContent::reaction(origin(1), id(3), ""),
            reply(),
        ),
        (
            "a reaction that moves the cursor",
            MimiContent::reaction(origin(1), id(3), "\u{1b}[2J"),
            reply(),
        ),
        (
            "too many reactions",
            MimiContent::new(origin(1), multi(many)).replying_to(id(3)),
            reply(),
        ),
        (
            "a reaction to nothing",
            MimiContent::new(origin(1), part("❤")),
            Ok(Act::Say),
        ),
        ("edit", plain.clone().replacing(id(1)), Ok(edit(Becomes::Message))),
        (
            "edit of a reply",
            plain.clone().replying_to(id(3)).replacing(id(1)),
            Ok(edit(Becomes::Message)),
        ),
        (
            "edit of a reaction",
            MimiContent::reaction(origin(1), id(3), "🎉").replacing(id(1)),
            Ok(edit(reactions())),
        ),
        (
            "deletion",
            MimiContent::delete(origin(1), id(1), &plain),
            Ok(delete()),
        ),
        (
            "report",
            status(MIMI_MESSAGE_STATUS, report.to_bytes().unwrap()),
            Ok(Act::Report(report.clone())),
        ),
        (
            "report, written otherwise",
            status(
                "Application/MIMI-message-status ; a=b",
                report.to_bytes().unwrap(),
            ),
            Ok(Act::Report(report)),
        ),
        (
            "no report",
            status(MIMI_MESSAGE_STATUS, vec![1]),
            Err(Refusal::Report),
        ),
    ];
    for (name, content, expected) in table {
        assert_eq!(Act::read(&content), expected, "{name}");
    }
}

#[test]
fn each_act_needs_its_capability() {
    let (alice, bob) = (user("alice"), user("bob"));
    let message = |sender| Fact {
        sender,
        kind: Kind::Message,
        deleted: false,
    };
    let reaction = |sender| Fact {
        sender,
        kind: Kind::Reaction,
        deleted: false,
    };
    let report = Act::Report(MessageStatusReport::default());
    let table = [
        (Act::Say, None, Effect::Add, CapabilityType::CAN_SEND_MESSAGE),
        (
            report.clone(),
            None,
            Effect::Report,
            CapabilityType::CAN_SEND_MESSAGE,
        ),
        (
            Act::Reply { to: id(1) },
            Some(message(&bob)),
            Effect::Add,
            CapabilityType::CAN_REPLY_TO_MESSAGE,
        ),
        (
            Act::Reply { to: id(1) },
            None,
            Effect::Add,
            CapabilityType::CAN_REPLY_TO_MESSAGE,
        ),
        (
            react(),
            Some(message(&bob)),
            Effect::React,
            CapabilityType::CAN_REACT_TO_MESSAGE,
        ),
        (
            react(),
            None,
            Effect::Pending,
            CapabilityType::CAN_REACT_TO_MESSAGE,
        ),
        (
            edit(Becomes::Message),
            Some(message(&alice)),
            Effect::Edit,
            CapabilityType::CAN_EDIT_OWN_MESSAGE,
        ),
        (
            edit(Becomes::Message),
            None,
            Effect::AddEdited,
            CapabilityType::CAN_EDIT_OWN_MESSAGE,
        ),
        (
            edit(reactions()),
            Some(reaction(&alice)),
            Effect::EditReaction,
            CapabilityType::CAN_EDIT_REACTION,
        ),
        (
            edit(reactions()),
            None,
            Effect::Pending,
            CapabilityType::CAN_EDIT_REACTION,
        ),
        (
            delete(),
            Some(message(&alice)),
            Effect::Delete,
            CapabilityType::CAN_DELETE_OWN_MESSAGE,
        ),
        (
            delete(),
            Some(message(&bob)),
            Effect::Delete,
            CapabilityType::CAN_DELETE_OTHER_MESSAGE,
        ),
        (
            delete(),
            Some(reaction(&alice)),
            Effect::DeleteReaction,
            CapabilityType::CAN_DELETE_OWN_REACTION,
        ),
        (
            delete(),
            Some(reaction(&bob)),
            Effect::DeleteReaction,
            CapabilityType::CAN_DELETE_OTHER_REACTION,
        ),
        (delete(), None, Effect::Pending, CapabilityType::CAN_SEND_MESSAGE),
    ];
    let actor = Actor {
        user: &alice,
        verified: true,
    };
    for (act, target, effect, capability) in table {
        assert_eq!(judge(&room(ALL), actor, &act, target), effect, "{act:?}");
        assert_eq!(permit(&room(ALL), &alice, &act, target), Ok(()), "{act:?}");
        for (missing, refusal) in [
            (capability, Refusal::Role(capability)),
            (
                CapabilityType::CAN_SEND_MESSAGE,
                Refusal::Role(CapabilityType::CAN_SEND_MESSAGE),
            ),
        ] {
            let state = room(&without(missing));
            assert_eq!(
                judge(&state, actor, &act, target),
                Effect::Refused(refusal),
                "{act:?}"
            );
            assert_eq!(permit(&state, &alice, &act, target), Err(refusal), "{act:?}");
        }
        // Nobody outside of the list has a role.
        let stranger = user("mallory");
        let actor = Actor {
            user: &stranger,
            verified: true,
        };
        assert!(matches!(
            judge(&room(ALL), actor, &act, target),
            Effect::Refused(Refusal::Role(_))
        ));
    }
}

#[test]
fn each_tie_has_its_rule() {
    let (alice, bob) = (user("alice"), user("bob"));
    let fact = |sender, kind, deleted| {
        Some(Fact {
            sender,
            kind,
            deleted,
        })
    };
    let refused = Effect::Refused;
    let table = [
        (
            "edit by another",
            edit(Becomes::Message),
            fact(&bob, Kind::Message, false),
            refused(Refusal::NotAuthor),
        ),
        (
            "edit by another of what is deleted",
            edit(Becomes::Message),
            fact(&bob, Kind::Message, true),
            refused(Refusal::NotAuthor),
        ),
        (
            "edit of another's reaction",
            edit(reactions()),
            fact(&bob, Kind::Reaction, false),
            refused(Refusal::NotAuthor),
        ),
        (
            "edit after delete",
            edit(Becomes::Message),
            fact(&alice, Kind::Message, true),
            refused(Refusal::Deleted),
        ),
        (
            "edit of a removed reaction",
            edit(reactions()),
            fact(&alice, Kind::Reaction, true),
            refused(Refusal::Deleted),
        ),
        (
            "delete twice",
            delete(),
            fact(&alice, Kind::Message, true),
            refused(Refusal::Deleted),
        ),
        (
            "unlike twice",
            delete(),
            fact(&alice, Kind::Reaction, true),
            refused(Refusal::Deleted),
        ),
        (
            "reaction to what is deleted",
            react(),
            fact(&bob, Kind::Message, true),
            refused(Refusal::Deleted),
        ),
        (
            "reaction to a reaction",
            react(),
            fact(&bob, Kind::Reaction, false),
            refused(Refusal::OtherKind),
        ),
        (
            "a message becomes a reaction",
            edit(reactions()),
            fact(&alice, Kind::Message, false),
            refused(Refusal::OtherKind),
        ),
        (
            "a reaction becomes a message",
            edit(Becomes::Message),
            fact(&alice, Kind::Reaction, false),
            refused(Refusal::OtherKind),
        ),
        (
            "answer that crossed the deletion",
            Act::Reply { to: id(1) },
            fact(&bob, Kind::Message, true),
            Effect::Add,
        ),
    ];
    let actor = Actor {
        user: &alice,
        verified: true,
    };
    for (name, act, target, effect) in table {
        assert_eq!(judge(&room(ALL), actor, &act, target), effect, "{name}");
        assert!(permit(&room(ALL), &alice, &act, target).is_err(), "{name}");
    }
}

#[test]
fn an_unproved_sender_speaks_and_changes_nothing() {
    let alice = user("alice");
    let actor = Actor {
        user: &alice,
        verified: false,
    };
    let target = Some(Fact {
        sender: &alice,
        kind: Kind::Message,
        deleted: false,
    });
    for act in [Act::Say, Act::Reply { to: id(1) }] {
        assert_eq!(judge(&room(ALL), actor, &act, target), Effect::Add);
    }
    for act in [
        react(),
        edit(Becomes::Message),
        delete(),
        Act::Report(MessageStatusReport::default()),
    ] {
        for target in [None, target] {
            assert_eq!(
                judge(&room(ALL), actor, &act, target),
                Effect::Refused(Refusal::Unverified)
            );
        }
    }
}

#[test]
fn only_what_honest_people_come_into_is_passed_over_in_silence() {
    for (refusal, innocent) in [
        (Refusal::Deleted, true),
        (Refusal::NotAuthor, false),
        (Refusal::Unverified, false),
        (Refusal::OtherKind, false),
        (Refusal::Report, false),
        (Refusal::Role(CapabilityType::CAN_EDIT_REACTION), false),
    ] {
        assert_eq!(refusal.is_innocent(), innocent, "{refusal:?}");
    }
}

/// A message or reaction of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    sender: usize,
    kind: Kind,
    deleted: bool,
    /// Who wrote what it says now.
    author: usize,
}

/// Three people with changing roles do anything to anything. Whatever happens, words are their sender's, what is gone
/// stays gone, and what is refused changes nothing.
#[test]
fn whatever_people_do_words_stay_their_senders() {
    let people = [user("alice"), user("bob"), user("mallory")];
    for seed in 0..40 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut roll = move |sides: usize| usize::try_from(rng.next_u32()).unwrap() % sides;
        let mut rows: BTreeMap<u8, Row> = BTreeMap::new();
        let mut ever_deleted = BTreeSet::new();
        for step in 0..200_u8 {
            let held: Vec<_> = ALL.iter().copied().filter(|_| roll(4) > 0).collect();
            let state = room(&held);
            let who = roll(3);
            let verified = roll(8) > 0;
            let target = u8::try_from(roll(usize::from(step) + 2)).unwrap();
            let (of, to) = (id(target), id(target));
            let act = match roll(6) {
                0 => Act::Say,
                1 => Act::Reply { to },
                2 => Act::React {
                    to,
                    reactions: vec!["👍".to_owned()],
                },
                3 => Act::Edit {
                    of,
                    becomes: Becomes::Message,
                },
                4 => Act::Edit {
                    of,
                    becomes: reactions(),
                },
                _ => Act::Delete { of },
            };
            let before = rows.clone();
            let fact = act.target().and_then(|_| before.get(&target)).map(|row| Fact {
                sender: &people[row.sender],
                kind: row.kind,
                deleted: row.deleted,
            });
            let actor = Actor {
                user: &people[who],
                verified,
            };
            let effect = judge(&state, actor, &act, fact);
            assert_eq!(effect, judge(&state, actor, &act, fact), "the same every time");
            let new = |kind| Row {
                sender: who,
                kind,
                deleted: false,
                author: who,
            };
            match effect {
                Effect::Add | Effect::AddEdited => {
                    rows.insert(step, new(Kind::Message));
                }
                Effect::React => {
                    rows.insert(step, new(Kind::Reaction));
                }
                Effect::Edit | Effect::EditReaction => rows.get_mut(&target).unwrap().author = who,
                Effect::Delete | Effect::DeleteReaction => {
                    rows.get_mut(&target).unwrap().deleted = true;
                    assert!(ever_deleted.insert(target), "deleted twice");
                    let others = before[&target].sender != who;
                    let power = match before[&target].kind {
                        Kind::Message => CapabilityType::CAN_DELETE_OTHER_MESSAGE,
                        Kind::Reaction => CapabilityType::CAN_DELETE_OTHER_REACTION,
                    };
                    assert!(!others || held.contains(&power), "without the power");
                }
                Effect::Report => panic!("nobody reported"),
                Effect::Pending => assert!(fact.is_none()),
                Effect::Refused(_) => {}
            }
            // Mallory is on no list.
            assert!(who != 2 || rows == before);
            assert!(verified || act.is_message() || rows == before);
            for (number, row) in &rows {
                assert_eq!(row.sender, row.author, "seed {seed}, step {step}");
                assert!(row.deleted == ever_deleted.contains(number));
            }
        }
    }
}
