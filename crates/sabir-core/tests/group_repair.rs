//! How a client finds its way back, in group rooms and direct ones, and what nobody finds again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "../../sabir-mls/tests/world/rogue.rs"]
#[allow(
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "tests; not every test uses all"
)]
mod rogue;
mod town;
#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

use rogue::{Rogue, Spoil};
use sabir_core::conversation::{Alarm, Conversation, ConversationEvent, Intent, Out, Request, RequestKind};
use sabir_core::room::MEMBER;
use sabir_mls::group::OwnCommit;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::{GroupInfo, MlsMessage, RatchetTree, Welcome};
use sabir_wire::protocol::{
    FanoutBody, FanoutMessage, GroupInfoOption, HandshakeBundle, RatchetTreeOption, UpdateRequest,
};
use sabir_wire::uri::UserUri;
use town::{DAY, FOUR, NAMES, Town, id, is_commit};

fn bad_commits(town: &Town, who: &str) -> Vec<Option<UserUri>> {
    let bad = |event: &ConversationEvent| match event {
        ConversationEvent::Alarm(Alarm::BadCommit { by, .. }) => Some(by.clone()),
        _ => None,
    };
    town.clients[who].events.iter().filter_map(bad).collect()
}

fn harm(message: &mut MlsMessage) {
    let MlsMessage::Public(public) = message else {
        panic!("in the clear")
    };
    public.membership_tag.as_mut().unwrap()[0] ^= 1;
}

#[test]
fn a_gap_is_told_and_mended_and_the_outbox_goes_out_once() {
    let mut town = Town::group(1, FOUR);
    town.clients.get_mut("carol").unwrap().away = true;
    town.rename("alice", "one");
    town.settle();
    town.say("alice", "carol misses this");
    town.settle();
    // Her provider loses the commit.
    let inbox = &mut town.clients.get_mut("carol").unwrap().inbox;
    inbox.retain(|entry| !is_commit(entry));
    assert!(!inbox.is_empty());
    town.say("carol", "still here");
    town.clients.get_mut("carol").unwrap().away = false;
    town.settle();
    let carol = &town.clients["carol"];
    assert!(carol.saw(|event| matches!(
        event,
        ConversationEvent::Alarm(Alarm::Gap { message: 4, group: 3 })
    )));
    assert!(carol.saw(|event| matches!(event, ConversationEvent::Repairing)));
    assert_eq!(town.returns("carol"), 1);
    for name in ["alice", "bob", "dave"] {
        assert_eq!(town.clients[name].texts(), ["carol misses this", "still here"]);
        assert_eq!(town.returns(name), 0);
        assert!(town.clients[name].alarms().is_empty(), "{name}");
    }
    assert_eq!(town.clients["carol"].texts(), ["still here"]);
    town.agree(NAMES);
    town.say("bob", "and on");
    town.settle();
    assert_eq!(town.clients["carol"].texts(), ["still here", "and on"]);
}

#[test]
fn a_gap_in_a_direct_room_is_mended_too() {
    let mut town = Town::new(2, &["alice@a", "bob@b"]);
    town.create_direct("alice", "bob");
    town.say("alice", "one");
    town.settle();
    town.clients.get_mut("bob").unwrap().away = true;
    let epoch = town.commit_of("alice");
    town.clients.get_mut("bob").unwrap().inbox.clear();
    assert_eq!(epoch, 2);
    town.say("alice", "two");
    town.work();
    town.clients.get_mut("bob").unwrap().away = false;
    town.settle();
    assert_eq!(town.returns("bob"), 1);
    town.agree(&["alice", "bob"]);
    town.say("bob", "three");
    town.settle();
    assert_eq!(town.clients["alice"].texts(), ["one", "two", "three"]);
}

#[test]
fn whose_copy_of_a_commit_was_spoiled_comes_back_and_others_go_on() {
    let mut town = Town::group(3, FOUR);
    town.rename("alice", "one");
    let request = town.draw_up("alice").unwrap();
    let answer = town.request("alice", &request);
    town.answer("alice", &request, &answer);
    let carol = town.clients.get_mut("carol").unwrap();
    let mut entry = FanoutMessage::from_bytes(&carol.inbox.pop_front().unwrap()).unwrap();
    let FanoutBody::Commit { message, .. } = &mut entry.body else {
        panic!("a commit")
    };
    harm(message);
    carol.inbox.push_front(entry.to_bytes());
    town.settle();
    assert_eq!(bad_commits(&town, "carol"), [Some(town.user("alice"))]);
    assert_eq!(town.returns("carol"), 1);
    for name in ["alice", "bob", "dave"] {
        assert!(town.clients[name].alarms().is_empty(), "{name}");
        assert_eq!(town.returns(name), 0);
    }
    town.agree(NAMES);
}

#[test]
fn a_commit_that_no_member_can_apply_is_told_with_its_maker_and_all_come_back() {
    let mut town = Town::group(4, FOUR);
    let bob = town.user("bob");
    let admin = Intent::SetRole {
        user: bob.clone(),
        role: sabir_core::room::ADMIN,
    };
    town.intend("alice", id(1), admin).unwrap();
    town.settle();
    town.rename("bob", "harm");
    let request = town.draw_up("bob").unwrap();
    let mut update = UpdateRequest::from_bytes(&request.body).unwrap();
    let HandshakeBundle::Commit { message, .. } = &mut update.bundle else {
        panic!("a commit")
    };
    harm(message);
    // The hub cannot see it.
    let spoiled = Request {
        kind: RequestKind::Update,
        body: update.to_bytes(),
    };
    let epoch = town.hub().epoch();
    town.request("bob", &spoiled);
    assert_eq!(town.hub().epoch(), epoch + 1);
    town.say("dave", "what was that?");
    town.settle_within(10 * 60_000);
    for name in ["alice", "carol", "dave"] {
        assert_eq!(bad_commits(&town, name), [Some(bob.clone())], "{name}");
        assert_eq!(town.returns(name), 1, "{name}");
    }
    town.agree(NAMES);
    town.say("alice", "back");
    town.settle();
    assert!(town.clients["carol"].texts().contains(&"back".to_owned()));
    assert!(
        town.clients["alice"]
            .texts()
            .contains(&"what was that?".to_owned())
    );
}

/// The request for a commit, whoever made it.
fn update(commit: &OwnCommit) -> Request {
    let info = GroupInfo::from_bytes(&commit.next.group_info).unwrap();
    let tree = RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap();
    let welcome = commit.welcome.as_deref().map(Welcome::from_bytes);
    let bundle = HandshakeBundle::Commit {
        message: Box::new(MlsMessage::from_bytes(&commit.commit).unwrap()),
        welcome: welcome.transpose().unwrap(),
        group_info: Box::new(GroupInfoOption::Full(info)),
        ratchet_tree: RatchetTreeOption::Full(tree),
    };
    Request {
        kind: RequestKind::Update,
        body: UpdateRequest { bundle }.to_bytes(),
    }
}

/// What becomes of the secrets that are encrypted to these keys.
type Way = fn(Vec<Vec<u8>>) -> Spoil;

/// Bob's client commits to a new leaf of its own. One member cannot use what the path holds for it; nobody else, and no
/// hub, can see that.
fn one_victim(town: &mut Town, how: Way, victim: &str) {
    let id = sabir_core::hub::group_uri(&town.room).unwrap();
    let bob = &town.clients["bob"];
    let rows = sabir_core::mls_rows(&bob.rows);
    let key = bob.device.key.clone();
    let mut rogue = Rogue::load(&rows, id.as_str().as_bytes(), &mut town.rng);
    let victim = &town.clients[victim].device;
    let tree = RatchetTree::from_bytes(&rogue.public_state(&key).ratchet_tree).unwrap();
    let mut leaves = tree.leaves();
    let (leaf, _) = leaves
        .find(|(_, node)| node.signature_key.0 == victim.key.public())
        .unwrap();
    // Everybody came in by Alice's commits: nothing above the leaves of the others is filled.
    rogue.spoil = how(rogue.keys_of(leaf)[..1].to_vec());
    let commit = rogue.refresh(&key).unwrap();
    // Bob's client follows its own commit, as if nothing were the matter.
    let kept = rogue.rows();
    let bob = town.clients.get_mut("bob").unwrap();
    let mut changes = sabir_mls::rows::RowChanges::default();
    for key in rows.keys().filter(|key| !kept.contains_key(*key)) {
        changes.delete(key.clone());
    }
    for (key, value) in kept {
        changes.put(key, value);
    }
    sabir_core::scoped(changes).apply_to(&mut bob.rows);
    let loaded = Conversation::load(town.room.clone(), &bob.rows, &mut town.rng);
    bob.conversation = Some(loaded.unwrap());
    let epoch = town.hub().epoch();
    town.request("bob", &update(&commit));
    assert_eq!(town.hub().epoch(), epoch + 1, "the hub cannot see it");
}

#[test]
fn one_victim_of_a_wrong_path_secret_names_its_maker_and_comes_back_by_itself() {
    let ways: [Way; 2] = [Spoil::Ciphertext, Spoil::Secret];
    for (seed, how) in (30..).zip(ways) {
        let mut town = Town::group(seed, FOUR);
        town.say("alice", "before");
        town.settle();
        // What she has written waits while she comes back, and goes out then.
        town.say("carol", "still here");
        one_victim(&mut town, how, "carol");
        while town.deliver("carol") {}
        assert_eq!(bad_commits(&town, "carol"), [Some(town.user("bob"))]);
        assert!(town.clients["carol"].hers().is_repairing());
        town.say("dave", "and on");
        town.settle();
        assert_eq!(town.returns("carol"), 1);
        for name in ["alice", "bob", "dave"] {
            assert!(town.clients[name].alarms().is_empty(), "{name}");
            assert_eq!(town.returns(name), 0, "{name}");
            let mut texts = town.clients[name].texts();
            texts.sort();
            assert_eq!(texts, ["and on", "before", "still here"], "{name}");
        }
        town.agree(NAMES);
        town.say("bob", "after");
        town.settle();
        assert!(town.clients["carol"].texts().contains(&"after".to_owned()));
    }
}

#[test]
fn a_return_meets_a_departure_and_the_hub_sees_it_through() {
    let mut town = Town::new(5, FOUR);
    town.second("bob", "bob-b");
    town.gather(FOUR);
    // Bob leaves with both clients; before anybody commits, Carol comes back from outside.
    spoil_state(&mut town, "carol");
    town.intend("bob", id(1), Intent::Leave).unwrap();
    assert!(town.step("bob"));
    for name in ["alice", "dave"] {
        town.clients.get_mut(name).unwrap().away = true;
    }
    town.work();
    let bob = town.user("bob");
    assert!(
        town.hub().state().participant(&bob).is_some(),
        "on the list still"
    );
    for name in ["alice", "dave"] {
        town.clients.get_mut(name).unwrap().away = false;
    }
    town.settle();
    assert!(town.hub().state().participant(&bob).is_none());
    town.agree(&["alice", "carol", "dave"]);
    for name in ["bob", "bob-b"] {
        assert!(
            town.clients[name]
                .saw(|event| matches!(event, ConversationEvent::Removed { how: Out::Left, .. })),
            "{name}"
        );
    }
    for name in ["alice", "carol", "dave"] {
        assert!(
            town.clients[name].hers().sending_stopped().is_none(),
            "{name}: {:?}",
            town.clients[name].alarms()
        );
    }
    // Whoever may add brings him back.
    town.publish("bob", 1);
    town.add("alice", "bob", MEMBER);
    town.settle();
    town.say("alice", "welcome back");
    town.settle();
    assert_eq!(town.clients["bob"].texts(), ["welcome back"]);
}

/// Everybody takes a commit of Alice's, of which one client gets a spoiled copy.
fn spoil_state(town: &mut Town, who: &str) {
    town.rename("alice", &format!("without {who}"));
    assert!(town.step("alice"));
    let inbox = &mut town.clients.get_mut(who).unwrap().inbox;
    let mut entry = FanoutMessage::from_bytes(&inbox.pop_back().unwrap()).unwrap();
    let FanoutBody::Commit { message, .. } = &mut entry.body else {
        panic!("a commit")
    };
    harm(message);
    while town.deliver(who) {}
    town.hand(who, &entry.to_bytes());
    assert!(town.clients[who].hers().is_repairing());
    for name in town.clients.keys().cloned().collect::<Vec<_>>() {
        while name != who && town.deliver(&name) {}
    }
}

#[test]
fn an_answer_about_the_way_in_that_does_not_hold_leads_nowhere() {
    let mut town = Town::group(20, FOUR);
    spoil_state(&mut town, "carol");
    let request = town.draw_up("carol").unwrap();
    assert_eq!(request.kind, RequestKind::GroupInfo);
    let answer = town.request("carol", &request);
    let length = answer.len();
    // Everything in it is signed, or part of what is.
    for at in (0..length).step_by(length / 40) {
        let mut altered = answer.clone();
        altered[at] ^= 1;
        let rows = town.clients["carol"].rows.clone();
        let room = town.room.clone();
        town.answer("carol", &request, &altered);
        let next = town.clients["carol"].hers().outstanding(u64::MAX);
        assert!(
            next.as_ref()
                .is_none_or(|next| next.kind == RequestKind::GroupInfo),
            "byte {at} of {length}"
        );
        assert!(town.clients["carol"].hers().is_repairing());
        let client = town.clients.get_mut("carol").unwrap();
        client.conversation = Some(Conversation::load(room, &rows, &mut town.rng).unwrap());
        client.rows = rows;
    }
    // An old one, of an epoch that the client has left behind.
    town.answer("carol", &request, &answer);
    town.settle();
    assert_eq!(town.returns("carol"), 1);
    town.agree(NAMES);
}

#[test]
fn a_return_that_loses_its_race_is_made_again() {
    let mut town = Town::group(21, FOUR);
    spoil_state(&mut town, "carol");
    assert!(town.step("carol"), "the way in");
    town.rename("alice", "first");
    while town.step("alice") {}
    let request = town.draw_up("carol").unwrap();
    assert_eq!(request.kind, RequestKind::Update);
    town.restart();
    town.settle();
    assert_eq!(town.returns("carol"), 1);
    town.agree(NAMES);
}

#[test]
fn the_echo_of_a_return_may_come_before_its_answer() {
    let mut town = Town::group(22, FOUR);
    spoil_state(&mut town, "carol");
    assert!(town.step("carol"));
    let request = town.draw_up("carol").unwrap();
    let answer = town.request("carol", &request);
    town.restart();
    assert!(town.deliver("carol"));
    assert_eq!(town.returns("carol"), 1);
    town.answer("carol", &request, &answer);
    town.settle();
    assert_eq!(town.returns("carol"), 1);
    town.agree(NAMES);
}

#[test]
fn who_is_on_the_list_without_a_client_comes_in_by_itself() {
    let mut town = Town::new(6, FOUR);
    town.clients.get_mut("carol").unwrap().published.clear();
    town.gather_some(FOUR, &["alice", "bob", "dave"]);
    town.rejoin("carol");
    town.restart();
    town.settle();
    let carol = &town.clients["carol"];
    assert!(carol.saw(|event| matches!(event, ConversationEvent::Rejoined { lost: false, .. })));
    town.agree(NAMES);
    town.say("carol", "by myself");
    town.settle();
    assert_eq!(town.clients["alice"].texts(), ["by myself"]);
    assert_eq!(
        town.clients["alice"].hers().awaited().count(),
        0,
        "nothing is owed to her any more"
    );
    // A stranger does not.
    town.person("eve@b");
    town.rejoin("eve");
    town.settle_within(DAY);
    assert!(town.clients["eve"].rejoin.is_none() && town.clients["eve"].conversation.is_none());
    assert!(town.clients["eve"].rows.is_empty());
}

#[test]
fn who_let_somebody_in_by_a_welcome_of_no_use_is_named() {
    let mut town = Town::group(31, &["alice@a", "carol@c"]);
    town.person("bob@b");
    town.person("dave@b");
    // Dave's Welcome opens, and he has said something before he loses his way.
    town.add("alice", "dave", MEMBER);
    town.settle();
    town.say("dave", "hello");
    town.settle();
    // Bob's does not, as a shell finds it.
    town.clients.get_mut("bob").unwrap().away = true;
    town.add("alice", "bob", MEMBER);
    town.settle();
    town.clients.get_mut("bob").unwrap().inbox.clear();
    town.restart();
    town.rejoin("bob");
    town.clients.get_mut("bob").unwrap().away = false;
    town.settle();
    let (alice, bob) = (town.user("alice"), town.user("bob"));
    let named: Vec<&Alarm> = town.clients["carol"]
        .events
        .iter()
        .filter_map(|event| match event {
            ConversationEvent::Alarm(alarm) => Some(alarm),
            _ => None,
        })
        .collect();
    assert_eq!(named, [&Alarm::BadWelcome { by: alice, of: bob }]);
    town.agree(&["alice", "bob", "carol", "dave"]);
    let dave = town.clients.get_mut("dave").unwrap();
    (dave.conversation, dave.rows) = (None, sabir_mls::rows::Rows::new());
    town.rejoin("dave");
    town.settle();
    assert_eq!(town.clients["carol"].alarms().len(), 1);
}

#[test]
fn who_was_removed_while_out_of_step_is_shut_out_and_can_be_added_again() {
    let mut town = Town::group(7, FOUR);
    town.clients.get_mut("carol").unwrap().away = true;
    town.rename("alice", "one");
    town.settle();
    let carol = town.user("carol");
    town.intend("alice", id(2), Intent::Remove { user: carol })
        .unwrap();
    town.settle();
    town.say("carol", "unsent");
    let client = town.clients.get_mut("carol").unwrap();
    client.inbox.pop_front();
    client.away = false;
    town.settle_within(DAY);
    assert!(town.clients["carol"].saw(|event| matches!(
        event,
        ConversationEvent::Removed {
            how: Out::ShutOut,
            ..
        }
    )));
    assert!(
        town.clients["carol"].saw(|event| matches!(event, ConversationEvent::Unsent { .. })),
        "what waited is told"
    );
    let asked = town.requests.len();
    town.settle_within(DAY);
    assert_eq!(town.requests.len(), asked);
    town.publish("carol", 1);
    town.add("alice", "carol", MEMBER);
    town.settle();
    town.agree(NAMES);
    town.restart();
    town.say("carol", "again");
    town.settle();
    assert_eq!(town.clients["alice"].texts(), ["again"]);
}

#[test]
fn who_is_removed_with_all_of_its_state_reads_nothing_after() {
    let mut town = Town::group(8, FOUR);
    town.say("alice", "before");
    town.settle();
    let carol = town.user("carol");
    let before = town.clients["carol"].rows.clone();
    let log = town.log.len();
    town.intend("alice", id(2), Intent::Remove { user: carol })
        .unwrap();
    town.say("alice", "after");
    town.settle();
    town.say("bob", "long after");
    town.settle();
    assert_eq!(town.clients["dave"].texts(), ["before", "after", "long after"]);
    // Her state of before and of after, and everything that was said since.
    for rows in [before, town.clients["carol"].rows.clone()] {
        let room = town.room.clone();
        let client = town.clients.get_mut("carol").unwrap();
        client.conversation = Some(Conversation::load(room, &rows, &mut town.rng).unwrap());
        client.events.clear();
        for at in log..town.log.len() {
            let entry = town.log[at].clone();
            town.hand("carol", &entry);
        }
        assert!(town.clients["carol"].texts().is_empty());
    }
}

#[test]
fn a_thousand_messages_and_three_commits_are_caught_up_with_in_one_go() {
    let mut town = Town::group(9, FOUR);
    town.clients.get_mut("carol").unwrap().away = true;
    for part in 0..4 {
        for line in 0..250 {
            town.say("alice", &format!("{part}/{line}"));
            while town.step("alice") {}
            while town.deliver("alice") {}
        }
        if part < 3 {
            town.rename("alice", &format!("part {part}"));
        }
        town.settle();
    }
    let carol = town.clients.get_mut("carol").unwrap();
    assert_eq!(carol.inbox.len(), 1_003);
    carol.away = false;
    town.settle();
    assert_eq!(town.clients["carol"].texts().len(), 1_000);
    assert_eq!(town.clients["carol"].texts(), town.clients["alice"].texts());
    assert!(town.clients["carol"].alarms().is_empty());
    town.agree(NAMES);
}

#[test]
fn a_client_that_was_away_for_a_hundred_days_catches_up() {
    // In days gone by: the library judges lifetimes by the clock on the wall.
    let people = &["alice@a", "bob@b", "carol@c"];
    let mut town = Town::at(10, world::now() - 100 * DAY, people);
    town.gather(people);
    town.clients.get_mut("carol").unwrap().away = true;
    for day in 0..100 {
        town.now += DAY;
        town.say("alice", &format!("day {day}"));
        if day % 20 == 5 {
            let (name, letter) = (format!("guest{day}@b"), format!("guest{day}"));
            town.person(&name);
            town.add("alice", &letter, MEMBER);
        }
        town.work();
    }
    town.clients.get_mut("carol").unwrap().away = false;
    town.settle();
    assert_eq!(town.clients["carol"].texts().len(), 100);
    assert!(town.clients["carol"].alarms().is_empty());
    let everybody: Vec<String> = town.clients.keys().cloned().collect();
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    assert_eq!(everybody.len(), 8);
    town.agree(&everybody);
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let now = world::now();
    let run = |seed| {
        let mut town = Town::at(seed, now, FOUR);
        town.gather(FOUR);
        for name in NAMES {
            town.say(name, "hello");
        }
        town.settle();
        town.intend("bob", id(1), Intent::Leave).unwrap();
        town.settle();
        town.rename("alice", "fewer");
        town.say("carol", "bye");
        town.settle();
        town.agree(&["alice", "carol", "dave"]);
        let events: Vec<_> = town.clients.into_values().map(|client| client.events).collect();
        (town.hub_rows, town.log, town.requests, events)
    };
    assert!(run(11) == run(11));
    assert!(run(11) != run(12));
}
