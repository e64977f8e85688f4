#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
//! What each role of our template may ask for, before anything is proposed.

use sabir_wire::mls::{Credential, SignaturePublicKey};
use sabir_wire::protocol::FrankingAgentData;
use sabir_wire::uri::RoomUri;

use super::*;
use crate::room::{ADMIN, BANNED, GroupRoom, MEMBER, OWNER, READ_ONLY};
use sabir_wire::components::UserRolePair;

fn user(name: &str) -> UserUri {
    UserUri::parse(&format!("mimi://a.example/u/{name}")).unwrap()
}

/// A room of one person for each role, each with a client, and a second admin.
fn room() -> (RoomState, BTreeMap<u32, LeafClient>) {
    let template = GroupRoom {
        room: RoomUri::parse("mimi://a.example/r/abc").unwrap(),
        name: String::new(),
        template: crate::room::Template::default(),
        owner: user("owner"),
        franking_agent: FrankingAgentData {
            franking_signature_key: SignaturePublicKey(vec![1; 32]),
            credential: Credential::X509 {
                certificates: vec![vec![1]],
            },
        },
    };
    let dictionary = template.dictionary();
    let mut state = RoomState::read(|component| {
        let entry = dictionary.iter().find(|(id, _)| *id == component.0);
        entry.map(|(_, data)| data.clone())
    })
    .unwrap();
    let people = [
        ("admin", ADMIN),
        ("admin2", ADMIN),
        ("member", MEMBER),
        ("reader", READ_ONLY),
        ("banned", BANNED),
    ];
    for (name, role_index) in people {
        let user = user(name);
        state
            .participants
            .participants
            .push(UserRolePair { user, role_index });
    }
    let leaves = ["owner", "admin", "admin2", "member", "reader"]
        .iter()
        .zip(0_u32..)
        .map(|(name, leaf)| {
            let client = ClientUri::parse(&format!("mimi://a.example/d/{name}1")).unwrap();
            let user = user(name);
            (leaf, LeafClient { client, user })
        })
        .collect();
    (state, leaves)
}

fn allowed(who: &str, action: Action<'_>, departed: &[&str]) -> bool {
    let (state, leaves) = room();
    let departed = departed.iter().map(|name| user(name)).collect();
    let view = View {
        state: &state,
        leaves: &leaves,
        device_lists: &BTreeMap::new(),
        replaced: &BTreeSet::new(),
        departed: &departed,
        knows_all: true,
        takes_claims: false,
    };
    may(view, &user(who), action).is_ok()
}

#[test]
fn the_template_gives_each_role_what_it_says() {
    let (new, member, reader) = (user("new"), user("member"), user("reader"));
    let (admin2, owner, banned) = (user("admin2"), user("owner"), user("banned"));
    // The action, and whether owner, admin, member, reader and banned may.
    let table = [
        (Action::SendMessage, [true, true, true, false, false]),
        (Action::AddOwnClient, [true, true, true, true, false]),
        (Action::RemoveOwnClient, [true, true, true, true, false]),
        (Action::Leave, [false, true, true, true, false]),
        (Action::Rename("x"), [true, true, false, false, false]),
        (Action::Add(&new, MEMBER), [true, true, false, false, false]),
        (Action::Add(&new, READ_ONLY), [true, true, false, false, false]),
        (Action::Add(&new, ADMIN), [true, false, false, false, false]),
        (Action::Add(&new, 6), [false; 5]),
        (Action::Add(&new, 77), [false; 5]),
        (Action::AddClients(&admin2), [true, false, false, false, false]),
        (Action::Remove(&admin2), [true, true, false, false, false]),
        (Action::Remove(&owner), [false; 5]),
        (Action::Remove(&banned), [true, true, false, false, false]),
        (Action::Ban(&admin2), [true, false, false, false, false]),
        (Action::Unban(&banned, MEMBER), [true, true, false, false, false]),
        (Action::Unban(&banned, OWNER), [true, false, false, false, false]),
        (Action::Unban(&admin2, MEMBER), [false; 5]),
        (
            Action::SetRole(&admin2, MEMBER),
            [true, false, false, false, false],
        ),
        (Action::SetRole(&owner, ADMIN), [false; 5]),
        (Action::SetRole(&new, MEMBER), [false; 5]),
    ];
    for (action, expected) in table {
        let who = ["owner", "admin", "member", "reader", "banned"];
        let got = who.map(|who| allowed(who, action, &[]));
        assert_eq!(got, expected, "{action:?}");
    }
    // Upon others of lower roles.
    for who in ["owner", "admin"] {
        for action in [
            Action::Ban(&member),
            Action::Remove(&reader),
            Action::SetRole(&member, READ_ONLY),
            Action::SetRole(&reader, MEMBER),
            Action::AddClients(&member),
        ] {
            assert!(allowed(who, action, &[]), "{who} {action:?}");
        }
    }
    assert!(!allowed("new", Action::SendMessage, &[]));
}

#[test]
fn who_departed_asks_for_nothing_and_everybody_may_clean_up() {
    let member = user("member");
    assert!(!allowed("member", Action::Leave, &["member"]));
    assert!(!allowed("member", Action::AddOwnClient, &["member"]));
    assert!(!allowed("reader", Action::Remove(&member), &[]));
    assert!(allowed("reader", Action::Remove(&member), &["member"]));
}

#[test]
fn without_knowing_all_only_who_has_no_client_may_be_taken_off() {
    let (state, mut leaves) = room();
    let member = user("member");
    let departed = BTreeSet::new();
    for (knows_all, has_client, expected) in
        [(false, true, false), (true, false, false), (false, false, true)]
    {
        if !has_client {
            leaves.retain(|_, leaf| leaf.user != member);
        }
        let view = View {
            state: &state,
            leaves: &leaves,
            device_lists: &BTreeMap::new(),
            replaced: &BTreeSet::new(),
            departed: &departed,
            knows_all,
            takes_claims: false,
        };
        let got = may(view, &user("reader"), Action::Remove(&member)).is_ok();
        assert_eq!(got, expected, "{knows_all} {has_client}");
    }
}
