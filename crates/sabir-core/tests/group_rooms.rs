//! Group rooms as their people see them: over three providers, with everything that goes on in a room and what a
//! client makes of it.
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

use sabir_core::conversation::{ConversationError, ConversationEvent, Intent, Out, RequestKind, WaitsFor};
use sabir_core::room::RoomRules;
use sabir_core::room::{ADMIN, BANNED, MEMBER, OWNER, READ_ONLY};
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::{CommitPlan, Group};
use sabir_mls::identity::TrustAnchors;
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::components::{ParticipantListUpdate, UserindexRolePair};
use sabir_wire::mls::{ComponentId, MlsMessage};
use sabir_wire::protocol::{FanoutBody, FanoutMessage};
use town::{DAY, FOUR, Town, id};

fn done(byte: u8) -> impl Fn(&ConversationEvent) -> bool {
    move |event| matches!(event, ConversationEvent::IntentDone { local_id } if *local_id == id(byte))
}

fn removed(how: Out) -> impl Fn(&ConversationEvent) -> bool {
    move |event| matches!(event, ConversationEvent::Removed { how: was, .. } if *was == how)
}

#[test]
fn four_people_over_three_providers_talk() {
    let mut town = Town::group(1, FOUR);
    for name in ["alice", "bob", "carol", "dave"] {
        town.say(name, &format!("{name} is here"));
        town.settle();
    }
    let lines = town.clients["alice"].texts();
    assert_eq!(lines.len(), 4);
    for name in ["bob", "carol", "dave"] {
        assert_eq!(town.clients[name].texts(), lines, "{name}");
    }
    assert_eq!(town.role_of("alice"), Some(OWNER));
    assert_eq!(town.role_of("dave"), Some(MEMBER));
    assert_eq!(town.hub().state().metadata.room_name, "friends");
    for byte in *b"bcd" {
        assert!(town.clients["alice"].saw(done(byte)));
    }
    assert!(town.clients["alice"].hers().intents().is_empty());
    town.agree(&["alice", "bob", "carol", "dave"]);
}

#[test]
fn what_was_written_after_an_addition_reaches_who_was_added() {
    let mut town = Town::new(2, FOUR);
    town.create_group("alice", "");
    town.settle();
    town.say("alice", "before");
    town.settle();
    town.add("alice", "bob", MEMBER);
    town.say("alice", "welcome, bob");
    town.settle();
    assert_eq!(town.clients["bob"].texts(), ["welcome, bob"]);
    assert_eq!(town.clients["alice"].texts(), ["before", "welcome, bob"]);
}

#[test]
fn roles_names_removals_and_bans() {
    let mut town = Town::group(3, FOUR);
    let (bob, carol, dave) = (town.user("bob"), town.user("carol"), town.user("dave"));
    // A member may not; an admin may.
    let refused = town.intend("bob", id(1), Intent::Remove { user: dave.clone() });
    assert!(
        matches!(refused, Err(ConversationError::NotAllowed(_))),
        "{refused:?}"
    );
    let admin = Intent::SetRole {
        user: bob.clone(),
        role: ADMIN,
    };
    town.intend("alice", id(2), admin).unwrap();
    town.settle();
    assert_eq!(town.role_of("bob"), Some(ADMIN));
    let moved = |event: &ConversationEvent| {
        matches!(event, ConversationEvent::RoleChanged { user, from: MEMBER, to: ADMIN, by: Some(by), .. }
            if *user == bob && *by == town.clients["alice"].me)
    };
    assert!(town.clients["carol"].saw(moved));
    let name = "Better friends".to_owned();
    town.intend("bob", id(3), Intent::Rename { name }).unwrap();
    town.intend("bob", id(4), Intent::Ban { user: dave.clone() })
        .unwrap();
    town.settle();
    assert_eq!(town.role_of("dave"), Some(BANNED));
    assert!(town.clients["dave"].saw(removed(Out::Banned)));
    assert!(
        town.clients["carol"].saw(
            |event| matches!(event, ConversationEvent::Renamed { name, .. } if name == "Better friends")
        )
    );
    town.agree(&["alice", "bob", "carol"]);
    let again = town.intend(
        "bob",
        id(5),
        Intent::Add {
            user: dave.clone(),
            role: MEMBER,
        },
    );
    assert!(
        matches!(again, Err(ConversationError::NotAllowed(_))),
        "{again:?}"
    );
    let unban = Intent::Unban {
        user: dave.clone(),
        role: READ_ONLY,
    };
    town.intend("alice", id(6), unban).unwrap();
    town.settle();
    town.agree(&["alice", "bob", "carol", "dave"]);
    assert!(matches!(
        town.try_say("dave", "may I?"),
        Err(ConversationError::NotAllowed(_))
    ));
    town.intend("alice", id(7), Intent::Remove { user: carol.clone() })
        .unwrap();
    town.settle();
    assert!(town.clients["carol"].saw(removed(Out::Removed)));
    town.agree(&["alice", "bob", "dave"]);
    // What is done already is done.
    town.intend("alice", id(8), Intent::Remove { user: carol })
        .unwrap();
    town.settle();
    assert!(town.clients["alice"].saw(done(8)));
    for byte in [3, 4] {
        assert!(town.clients["bob"].saw(done(byte)));
    }
}

#[test]
fn the_last_owner_stays_and_two_leave_by_one_commit() {
    let mut town = Town::group(4, FOUR);
    let refused = town.intend("alice", id(1), Intent::Leave);
    assert!(
        matches!(refused, Err(ConversationError::NotAllowed(_))),
        "{refused:?}"
    );
    let epoch = town.hub().epoch();
    for who in ["bob", "carol"] {
        town.intend(who, id(2), Intent::Leave).unwrap();
        assert!(town.step(who));
        assert!(town.clients[who].saw(done(2)), "the hub knows");
        assert!(town.clients[who].hers().is_leaving());
    }
    town.settle();
    assert_eq!(town.hub().epoch(), epoch + 1);
    town.agree(&["alice", "dave"]);
    let (bob, carol) = (town.user("bob"), town.user("carol"));
    for who in ["bob", "carol"] {
        assert!(town.clients[who].saw(removed(Out::Left)));
        assert!(town.try_say(who, "too late").is_err());
    }
    for who in ["alice", "dave"] {
        let left: Vec<_> = town.clients[who]
            .events
            .iter()
            .filter_map(|event| match event {
                ConversationEvent::MembersChanged { left, .. } => Some(left.clone()),
                _ => None,
            })
            .flatten()
            .map(|leaving| (leaving.user, leaving.by))
            .collect();
        assert_eq!(
            left,
            [
                (bob.clone(), Some(bob.clone())),
                (carol.clone(), Some(carol.clone()))
            ]
        );
    }
    let asked = town.requests.len();
    town.settle_within(town::DAY);
    assert_eq!(town.requests.len(), asked, "who is out asks for nothing more");
}

#[test]
fn a_departure_that_comes_too_late_is_proposed_again() {
    let mut town = Town::group(11, FOUR);
    town.intend("bob", id(1), Intent::Leave).unwrap();
    let leave = town.draw_up("bob").unwrap();
    let name = "meanwhile".to_owned();
    town.intend("alice", id(2), Intent::Rename { name }).unwrap();
    assert!(town.step("alice"));
    let answer = town.request("bob", &leave);
    town.answer("bob", &leave, &answer);
    assert!(!town.clients["bob"].hers().is_leaving());
    town.settle();
    assert!(town.clients["bob"].saw(done(1)) && town.clients["bob"].saw(removed(Out::Left)));
    town.agree(&["alice", "carol", "dave"]);
}

#[test]
fn two_devices_of_one_person_leave_at_once() {
    for seed in [13, 14] {
        let mut town = Town::new(seed, FOUR);
        town.second("bob", "bob-b");
        town.gather(FOUR);
        let mut leaves = Vec::new();
        for (byte, who) in (1..).zip(["bob", "bob-b"]) {
            town.intend(who, id(byte), Intent::Leave).unwrap();
            leaves.push((who, town.draw_up(who).unwrap()));
        }
        // The second is on its way, and its own proposals lie in its group, when it learns of the first.
        let (who, leave) = leaves.remove(0);
        let answer = town.request(who, &leave);
        while town.deliver("bob-b") {}
        if seed == 13 {
            town.answer(who, &leave, &answer);
        } else {
            // The log tells the first of it, and its answer is lost.
            while town.deliver(who) {}
            assert!(town.clients[who].hers().is_leaving() && town.clients[who].saw(done(1)));
        }
        let (who, leave) = leaves.remove(0);
        let answer = town.request(who, &leave);
        town.answer(who, &leave, &answer);
        town.settle();
        for (byte, who) in (1..).zip(["bob", "bob-b"]) {
            assert_eq!(town.clients[who].alarms(), [] as [&str; 0], "{who}");
            assert!(town.clients[who].saw(removed(Out::Left)), "{who}");
            assert!(town.clients[who].saw(done(byte)), "{who}");
        }
        town.agree(&["alice", "carol", "dave"]);
    }
}

#[test]
fn a_device_taken_off_the_list_goes_out_before_anything_is_sent_and_stays_out() {
    let mut town = Town::new(15, FOUR);
    town.second("bob", "bob-b");
    town.gather(FOUR);
    town.say("alice", "before");
    town.settle();
    assert_eq!(town.clients["bob-b"].texts(), ["before"]);

    // A device that has not heard of a newer list takes nobody out, whoever its own list lacks.
    let newest = town.clients["bob"].device.device_list.clone();
    let key = town.clients["bob"].device.key.clone();
    let old = world::device_list(&town.people["bob"], 1, &[&key]);
    town.clients.get_mut("bob").unwrap().device.device_list = old;
    town.say("bob", "still before");
    town.settle();
    assert_eq!(town.clients["bob-b"].texts(), ["before", "still before"]);
    town.clients.get_mut("bob").unwrap().device.device_list = newest;

    let list = world::device_list(&town.people["bob"], 3, &[&key]);
    town.clients.get_mut("bob").unwrap().device.device_list = list;
    // As after a kill: nothing of it was written down.
    town.restart();
    town.say("bob", "not for bob-b");
    town.settle();
    assert_eq!(town.clients["bob-b"].texts(), ["before", "still before"]);
    assert!(town.clients["bob-b"].saw(removed(Out::Client)));
    assert_eq!(
        town.clients["alice"].texts(),
        ["before", "still before", "not for bob-b"]
    );
    let names = &["alice", "bob", "carol", "dave"];
    town.agree(names);

    // It has its keys, and its provider may be on its side: the hub has seen the list without it.
    let epoch = town.clients["alice"].hers().epoch();
    let gone = town.clients.get_mut("bob-b").unwrap();
    (gone.conversation, gone.rows) = (None, sabir_mls::rows::Rows::new());
    town.rejoin("bob-b");
    town.settle_within(DAY);
    assert!(town.clients["bob-b"].conversation.is_none());
    assert_eq!(town.clients["alice"].hers().epoch(), epoch);
    town.agree(names);
    for who in names {
        assert_eq!(town.clients[*who].alarms(), [] as [&str; 0], "{who}");
    }
}

#[test]
fn a_commit_that_met_a_departure_is_made_again_with_it() {
    let mut town = Town::group(12, FOUR);
    let name = "in a hurry".to_owned();
    town.intend("alice", id(2), Intent::Rename { name }).unwrap();
    let commit = town.draw_up("alice").unwrap();
    town.intend("bob", id(1), Intent::Leave).unwrap();
    assert!(town.step("bob"));
    // The hub wants the departure in it, of which Alice learns only now.
    let answer = town.request("alice", &commit);
    town.answer("alice", &commit, &answer);
    town.settle();
    assert!(town.clients["alice"].saw(done(2)));
    assert_eq!(town.hub().state().metadata.room_name, "in a hurry");
    town.agree(&["alice", "carol", "dave"]);
}

#[test]
fn who_has_something_to_send_commits_a_departure_at_once() {
    let mut town = Town::group(5, FOUR);
    town.intend("bob", id(1), Intent::Leave).unwrap();
    assert!(town.step("bob"));
    assert!(town.deliver("dave"), "he learns of it");
    let now = town.now;
    town.say("dave", "farewell");
    assert!(town.step("dave"), "the commit first");
    town.work();
    assert_eq!(town.now, now, "no time passed");
    assert_eq!(town.clients["carol"].texts(), ["farewell"]);
    assert!(town.clients["bob"].texts().is_empty());
    town.settle();
    town.agree(&["alice", "carol", "dave"]);
}

#[test]
fn of_two_commits_at_once_one_wins_and_the_other_is_made_again() {
    let mut town = Town::group(6, FOUR);
    let bob = town.user("bob");
    let admin = Intent::SetRole {
        user: bob,
        role: ADMIN,
    };
    town.intend("alice", id(1), admin).unwrap();
    town.settle();
    let name = |name: &str| Intent::Rename {
        name: name.to_owned(),
    };
    town.intend("alice", id(2), name("one")).unwrap();
    town.intend("bob", id(3), name("two")).unwrap();
    for line in ["first", "second"] {
        town.say("bob", line);
    }
    let hers = town.draw_up("alice").unwrap();
    let his = town.draw_up("bob").unwrap();
    assert_eq!((hers.kind, his.kind), (RequestKind::Update, RequestKind::Update));
    assert_eq!(town.clients["bob"].hers().intents()[0].waits_for, WaitsFor::Hub);
    let answer = town.request("alice", &hers);
    town.answer("alice", &hers, &answer);
    let answer = town.request("bob", &his);
    town.answer("bob", &his, &answer);
    town.settle();
    assert!(town.clients["alice"].saw(done(2)) && town.clients["bob"].saw(done(3)));
    assert_eq!(town.hub().state().metadata.room_name, "two");
    assert_eq!(town.clients["carol"].texts(), ["first", "second"]);
    town.agree(&["alice", "bob", "carol", "dave"]);
}

#[test]
fn a_repeat_gets_its_first_answer() {
    let mut town = Town::group(7, FOUR);
    let name = "again".to_owned();
    town.intend("alice", id(1), Intent::Rename { name }).unwrap();
    let request = town.draw_up("alice").unwrap();
    let first = town.request("alice", &request);
    // The answer is lost; the echo may be there before the repeat.
    town.restart();
    let again = town.draw_up("alice").unwrap();
    assert_eq!(request, again);
    assert_eq!(first, town.request("alice", &again));
    town.settle();
    assert!(town.clients["alice"].saw(done(1)));
    town.agree(&["alice", "bob", "carol", "dave"]);
}

#[test]
fn without_key_packages_somebody_is_on_the_list_and_comes_in_later() {
    let mut town = Town::new(8, FOUR);
    town.clients.get_mut("carol").unwrap().published.clear();
    town.create_group("alice", "friends");
    for name in ["carol", "bob"] {
        town.add("alice", name, MEMBER);
    }
    town.say("alice", "hello");
    town.work();
    for byte in *b"bc" {
        assert!(town.clients["alice"].saw(done(byte)));
    }
    assert_eq!(town.role_of("carol"), Some(MEMBER));
    assert_eq!(town.clients["bob"].texts(), ["hello"]);
    let awaited: Vec<_> = town.clients["alice"].hers().awaited().collect();
    assert_eq!(awaited.len(), 1);
    // The waits grow, and survive a restart.
    let asked = town.requests.len();
    town.settle_within(town::DAY);
    let tries = town.requests.len() - asked;
    assert!((100..200).contains(&tries), "{tries} tries in a day");
    town.restart();
    town.publish("carol", 1);
    town.settle_within(town::DAY);
    town.say("alice", "at last");
    town.settle();
    assert_eq!(town.clients["carol"].texts(), ["at last"]);
    town.agree(&["alice", "bob", "carol"]);
}

#[test]
fn a_provider_that_cannot_be_reached_holds_up_nothing() {
    let mut town = Town::group(9, &["alice@a", "bob@b"]);
    town.person("carol@c");
    town.add("alice", "carol", MEMBER);
    let request = town.draw_up("alice").unwrap();
    assert_eq!(request.kind, RequestKind::KeyMaterial);
    town.with("alice", |conversation, cx, now, rng| {
        Ok(((), conversation.unreachable(cx, now, &request, rng)?))
    })
    .unwrap();
    town.say("alice", "meanwhile");
    town.work();
    assert_eq!(town.clients["bob"].texts(), ["meanwhile"]);
    assert_eq!(town.role_of("carol"), Some(MEMBER));
    town.settle();
    town.agree(&["alice", "bob", "carol"]);
}

#[test]
fn engines_that_restart_after_every_step_lose_nothing() {
    let mut town = Town::new(10, FOUR);
    town.create_group("alice", "friends");
    for name in ["bob", "carol", "dave"] {
        town.add("alice", name, MEMBER);
    }
    town.say("alice", "hello");
    let names = ["alice", "bob", "carol", "dave"];
    let mut idle = 0;
    while idle < 3 {
        let mut busy = false;
        for name in names {
            busy |= town.step(name);
            town.restart();
            busy |= town.deliver(name);
            town.restart();
        }
        idle = if busy { 0 } else { idle + 1 };
    }
    town.intend("dave", id(1), Intent::Leave).unwrap();
    for _ in 0..20 {
        for name in names {
            town.step(name);
            town.restart();
            town.deliver(name);
            town.restart();
        }
        town.now += 1_000;
    }
    town.agree(&["alice", "bob", "carol"]);
    assert_eq!(town.clients["carol"].texts(), ["hello"]);
}

/// Does something without the authority of Carol's provider.
fn without(town: &mut Town, what: impl FnOnce(&mut Town)) {
    let missed = world::domain("c.example");
    let mut anchors = TrustAnchors::new();
    for ca in town.anchors.iter().filter(|ca| *ca.domain() != missed) {
        anchors.pin(ca.domain(), ca.clone()).unwrap();
    }
    anchors.do_without(&missed);
    let all = std::mem::replace(&mut town.anchors, anchors);
    what(town);
    town.anchors = all;
}

/// Bob applies what waits for him, without that authority.
fn bob_delivers_without(town: &mut Town) {
    without(town, |town| while town.deliver("bob") {});
}

fn looks_again(town: &mut Town, who: &str) {
    town.with(who, |conversation, cx, _, _| {
        Ok(((), conversation.reconsider(cx)?))
    })
    .unwrap();
}

fn resumes(town: &mut Town, who: &str) {
    town.with(who, |conversation, cx, _, _| {
        Ok(((), conversation.resume_sending(cx)?))
    })
    .unwrap();
}

/// An entry of the log that no honest hub lets in: a member makes itself the owner.
fn promotes_itself(town: &mut Town, who: &str) -> Vec<u8> {
    let client = &town.clients[who];
    let list = &town.hub().state().participants.participants;
    let index = list.iter().position(|entry| entry.user == client.me).unwrap();
    let update = ParticipantListUpdate {
        changed_role_participants: vec![UserindexRolePair {
            user_index: u32::try_from(index).unwrap(),
            role_index: OWNER,
        }],
        ..ParticipantListUpdate::default()
    };
    let operation = AppDataOperation::Update(update.to_bytes());
    let plan = CommitPlan {
        app_data: vec![(ComponentId::PARTICIPANT_LIST.0, operation)],
        refresh: true,
        ..CommitPlan::default()
    };
    let group = sabir_core::hub::group_uri(&town.room).unwrap();
    let rows = sabir_core::mls_rows(&client.rows);
    let mut group = Group::load(rows, group.as_str().as_bytes(), &mut town.rng).unwrap();
    let commit = group
        .commit(&client.device, plan, &RoomRules, &mut town.rng)
        .unwrap();
    FanoutMessage {
        timestamp: town.now,
        body: FanoutBody::Commit {
            message: Box::new(MlsMessage::from_bytes(&commit.commit).unwrap()),
            external_proposals: Vec::new(),
        },
    }
    .to_bytes()
}

/// A room of three in which Bob does without the authority of Carol's provider.
fn doubtful(seed: u64) -> Town {
    let mut town = Town::group(seed, &["alice@a", "bob@b"]);
    town.clients.get_mut("bob").unwrap().away = true;
    town.person("carol@c");
    town.add("alice", "carol", MEMBER);
    town.settle();
    bob_delivers_without(&mut town);
    town
}

/// Bob has come to a room in which Carol's provider could not be asked who she is.
fn assert_doubts(town: &mut Town) {
    let carol = town.user("carol");
    town.restart();
    let bob = town.clients["bob"].hers();
    assert_eq!(bob.unverified(), [carol]);
    assert!(bob.sending_stopped().unwrap().contains("carol@c.example"));
    assert_eq!(
        (bob.epoch(), bob.transcript_hash()),
        (town.hub().epoch(), town.hub().transcript_hash())
    );
    town.say("carol", "who am I?");
    town.say("bob", "held back");
    town.settle();
    assert_eq!(town.clients["bob"].texts().last().unwrap(), "who am I?");
    let carol = town.user("carol");
    let verified = |event: &ConversationEvent| matches!(event, ConversationEvent::Message(it) if it.verified && it.sender == carol);
    assert!(!town.clients["bob"].saw(verified));
    assert!(!town.clients["alice"].texts().contains(&"held back".to_owned()));
    // It is found: Carol is proved, and a person says that messages go out again.
    let missed: Vec<_> = town.clients["bob"]
        .hers()
        .missed_authorities()
        .into_iter()
        .collect();
    assert_eq!(missed, [world::domain("c.example")]);
    let alarms = town.clients["bob"].alarms().len();
    looks_again(town, "bob");
    assert!(town.clients["bob"].hers().unverified().is_empty());
    assert!(town.clients["bob"].hers().missed_authorities().is_empty());
    assert_eq!(town.clients["bob"].alarms().len(), alarms);
    town.restart();
    town.settle();
    assert!(town.clients["bob"].hers().sending_stopped().is_some());
    resumes(town, "bob");
    town.say("carol", "proved");
    town.settle();
    assert!(town.clients["bob"].saw(verified));
    assert!(town.clients["alice"].texts().contains(&"held back".to_owned()));
    town.agree(&["alice", "bob", "carol"]);
}

/// `architecture.md` §4: a defect of a credential is told of and the commit merged, and nothing goes out.
#[test]
fn who_comes_in_and_cannot_be_proved_is_doubted_until_the_authority_is_found() {
    let mut town = doubtful(20);
    town.clients.get_mut("bob").unwrap().away = false;
    assert_doubts(&mut town);
}

#[test]
fn a_welcome_to_a_room_with_somebody_who_cannot_be_proved_is_taken() {
    let mut town = Town::new(21, &["alice@a", "bob@b", "carol@c"]);
    town.clients.get_mut("bob").unwrap().away = true;
    town.create_group("alice", "friends");
    town.add("alice", "carol", MEMBER);
    town.add("alice", "bob", MEMBER);
    town.settle();
    bob_delivers_without(&mut town);
    town.clients.get_mut("bob").unwrap().away = false;
    assert_doubts(&mut town);
}

#[test]
fn the_way_out_stays_open_where_sending_is_stopped() {
    let mut town = doubtful(22);
    town.clients.get_mut("bob").unwrap().away = false;
    town.say("bob", "held back");
    town.intend("bob", id(1), Intent::Leave).unwrap();
    town.restart();
    town.settle();
    assert!(town.clients["bob"].saw(done(1)));
    assert!(town.clients["bob"].saw(removed(Out::Left)));
    town.agree(&["alice", "carol"]);
    assert!(town.clients["alice"].texts().is_empty());
}

#[test]
fn somebody_who_cannot_be_proved_stops_nobody_twice_and_breaks_no_rule_unseen() {
    let mut town = doubtful(23);
    without(&mut town, |town| resumes(town, "bob"));
    assert_eq!(town.clients["bob"].alarms().len(), 1);
    // Whatever Carol commits, she is who she was.
    town.commit_of("carol");
    bob_delivers_without(&mut town);
    assert_eq!(town.clients["bob"].alarms().len(), 1);
    assert_eq!(town.clients["bob"].hers().sending_stopped(), None);
    // Nor does the hub let her do by it what she may not: that is seen without knowing who she is.
    let epoch = town.hub().epoch();
    let owner = promotes_itself(&mut town, "carol");
    town.clients.get_mut("bob").unwrap().inbox.push_back(owner);
    bob_delivers_without(&mut town);
    assert_eq!(town.clients["bob"].hers().epoch(), epoch + 1);
    let told = town.clients["bob"].alarms();
    assert!(told.len() == 2 && told[1].contains("Forbidden"), "{told:?}");
}

#[test]
fn who_claimed_what_an_authority_does_not_bear_out_is_told_of_once_it_is_found() {
    let mut town = doubtful(24);
    without(&mut town, |town| resumes(town, "bob"));
    assert_eq!(town.clients["bob"].hers().sending_stopped(), None);
    // What is found is another authority than the one Carol's certificate is from.
    let (now, domain) = (town.now, world::domain("c.example"));
    let other = sabir_mls::identity::ProviderCa::generate(&domain, now, &mut town.rng).unwrap();
    let mut anchors = TrustAnchors::new();
    for ca in town.anchors.iter().filter(|ca| *ca.domain() != domain) {
        anchors.pin(ca.domain(), ca.clone()).unwrap();
    }
    anchors.pin(&domain, other.to_anchor()).unwrap();
    town.anchors = anchors;
    looks_again(&mut town, "bob");
    let bob = &town.clients["bob"];
    assert!(bob.hers().sending_stopped().is_some() && !bob.hers().unverified().is_empty());
    assert!(bob.hers().missed_authorities().is_empty());
    assert_eq!(bob.alarms().len(), 2);
    // That is an end of it.
    looks_again(&mut town, "bob");
    assert_eq!(town.clients["bob"].alarms().len(), 2);
}
