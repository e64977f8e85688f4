//! Join links as their people use them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod town;
#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

use sabir_core::conversation::{ConversationError, ConversationEvent, Intent};
use sabir_core::room::link::{LinkKey, LinkTerms, links};
use sabir_core::room::{MEMBER, READ_ONLY};
use sabir_wire::mls::ComponentId;
use town::{DAY, FOUR, Town, id};

fn make(town: &mut Town, who: &str, seed: u8, change: impl FnOnce(&mut LinkTerms)) -> LinkKey {
    let key = LinkKey::from_seed(&[seed; 32]).unwrap();
    let mut terms = LinkTerms {
        key_hash: key.key_hash(),
        role: MEMBER,
        not_after: town.now + DAY,
        uses: 0,
    };
    change(&mut terms);
    let intent = Intent::ChangeLinks {
        added: Some(terms),
        removed: Vec::new(),
    };
    town.intend(who, id(seed), intent).unwrap();
    town.settle();
    key
}

/// Alice and Bob are in the room, Carol and Dave are not.
fn two(seed: u64) -> Town {
    let mut town = Town::new(seed, FOUR);
    town.create_group("alice", "friends");
    town.add("alice", "bob", MEMBER);
    town.settle();
    town.agree(&["alice", "bob"]);
    town
}

#[test]
fn who_has_a_link_comes_in_and_everybody_is_told() {
    let mut town = two(1);
    let key = make(&mut town, "alice", 40, |_| ());
    // The first link brings the policy, and the base policy names both.
    let base = &town.hub().state().base.policy_component_ids;
    assert!(base.contains(&ComponentId::JOIN_LINKS) && base.contains(&ComponentId::JOIN_LINK_POLICY));
    town.come_in("carol", Some(key.clone()));
    town.restart();
    town.settle();
    town.agree(&["alice", "bob", "carol"]);
    assert_eq!(town.role_of("carol"), Some(MEMBER));
    let carol = town.user("carol");
    for name in ["alice", "bob"] {
        assert!(
            town.clients[name].saw(|event| matches!(
                event,
                ConversationEvent::MembersChanged { joined, .. }
                    if joined.iter().any(|it| it.user == carol && it.by.as_ref() == Some(&carol))
            )),
            "{name} is told"
        );
    }
    town.say("carol", "the door was open");
    town.settle();
    town.say("bob", "welcome");
    town.settle();
    assert_eq!(town.clients["bob"].texts(), ["the door was open", "welcome"]);
    assert_eq!(town.clients["carol"].texts().len(), 2);
    // Somebody else at the same time, while the room moves on.
    town.come_in("dave", Some(key));
    let request = town.draw_up("dave").unwrap();
    let answer = town.request("dave", &request);
    town.answer("dave", &request, &answer);
    town.commit_of("alice");
    town.settle();
    town.agree(&["alice", "bob", "carol", "dave"]);
}

#[test]
fn a_link_that_does_not_open_leaves_nothing_behind() {
    let mut town = two(2);
    let once = make(&mut town, "alice", 40, |terms| terms.uses = 1);
    let short = make(&mut town, "alice", 41, |terms| {
        terms.not_after = terms.not_after - DAY + 120_000
    });
    let gone = make(&mut town, "alice", 42, |_| ());
    let removed = vec![gone.key_hash()];
    let intent = Intent::ChangeLinks { added: None, removed };
    town.intend("alice", id(43), intent).unwrap();
    town.settle();
    assert_eq!(links(town.hub().state()).count(), 2);
    town.come_in("carol", Some(once.clone()));
    town.settle();
    town.agree(&["alice", "bob", "carol"]);
    town.now += 120_001;
    let epoch = town.hub().epoch();
    for link in [once, short, gone, LinkKey::from_seed(&[99; 32]).unwrap()] {
        town.come_in("dave", Some(link));
        town.settle();
        assert!(town.clients["dave"].rejoin.is_none(), "tried once");
        assert!(town.clients["dave"].rows.is_empty(), "rows are left");
    }
    // Nor does he come in with nothing at all.
    town.come_in("dave", None);
    town.settle();
    assert_eq!(town.hub().epoch(), epoch);
    town.agree(&["alice", "bob", "carol"]);
}

#[test]
fn a_link_leads_to_its_role_and_not_past_a_ban() {
    let mut town = two(3);
    let key = make(&mut town, "alice", 40, |terms| terms.role = READ_ONLY);
    town.come_in("carol", Some(key.clone()));
    town.settle();
    assert_eq!(town.role_of("carol"), Some(READ_ONLY));
    let user = town.user("carol");
    town.intend("alice", id(44), Intent::Ban { user }).unwrap();
    town.settle();
    town.agree(&["alice", "bob"]);
    let client = town.clients.get_mut("carol").unwrap();
    client.conversation = None;
    client.rows.clear();
    town.come_in("carol", Some(key));
    town.settle();
    town.agree(&["alice", "bob"]);
}

#[test]
fn only_who_may_makes_links_and_for_what_role_zero_allows() {
    let mut town = two(4);
    let key = LinkKey::from_seed(&[50; 32]).unwrap();
    let mut terms = LinkTerms {
        key_hash: key.key_hash(),
        role: MEMBER,
        not_after: town.now + DAY,
        uses: 0,
    };
    let intent = |terms| Intent::ChangeLinks {
        added: Some(terms),
        removed: Vec::new(),
    };
    let denied = |town: &mut Town, who: &str, terms| {
        let refused = town.intend(who, id(50), intent(terms));
        assert!(
            matches!(refused, Err(ConversationError::NotAllowed(_))),
            "{refused:?}"
        );
    };
    denied(&mut town, "bob", terms);
    terms.role = sabir_core::room::ADMIN;
    denied(&mut town, "alice", terms);
    terms.role = 77;
    denied(&mut town, "alice", terms);
}

#[test]
fn who_is_added_while_their_link_is_refused_is_in() {
    let mut town = two(5);
    let wrong = LinkKey::from_seed(&[99; 32]).unwrap();
    town.come_in("carol", Some(wrong));
    let request = town.draw_up("carol").unwrap();
    let answer = town.request("carol", &request);
    // Alice adds her, and the Welcome is there before the refusal.
    town.clients.get_mut("carol").unwrap().away = true;
    town.add("alice", "carol", MEMBER);
    town.settle();
    while town.deliver("carol") {}
    town.restart();
    town.answer("carol", &request, &answer);
    town.clients.get_mut("carol").unwrap().away = false;
    town.settle();
    town.agree(&["alice", "bob", "carol"]);
}
