//! One test per rule.

use sabir_wire::mls::{CipherSuite, Proposal, ProposalOrRef, Sender};

use super::synthetic::*;
use super::*;

/// A room with `leaves`, in epoch 5; `b1` was welcomed into it.
fn story(cast: &mut Cast, leaves: &str) -> Shell {
    let mut shell = Shell::new();
    shell.routes.insert(cast.reference("b1"), client("b1"));
    let add = cast.add("b1");
    let commit = cast.commit(4, 0, "a1", vec![by_value(add)]);
    assert_eq!(
        shell.take(&commit),
        (vec![], false),
        "nothing is known before the first tree"
    );
    let welcome = cast.welcome(&["b1"], leaves);
    assert_eq!(shell.take(&welcome), (vec!["b1".to_owned()], true));
    assert_eq!(shell.follower.epoch(), Some(5), "the commit said so");
    shell
}

fn roster(leaves: &str) -> Vec<(u32, String)> {
    (0..)
        .zip(leaves.split(' '))
        .filter(|(_, name)| *name != ".")
        .map(|(at, name)| (at, name.to_owned()))
        .collect()
}

fn remove(removed: u32) -> ProposalOrRef {
    by_value(Proposal::Remove { removed })
}

#[test]
fn application_messages_and_proposals_go_to_our_devices_alone() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1 b2 a2");
    assert_eq!(
        shell.take(&application(5)),
        (vec!["b1".into(), "b2".into()], true)
    );
    let idle = proposals(vec![proposal(5, member(0), Proposal::SelfRemove)]);
    assert_eq!(shell.take(&idle), (vec!["b1".into(), "b2".into()], true));
    assert_eq!(shell.roster(), roster("a1 b1 b2 a2"));
    assert_eq!(shell.follower.hub().as_str(), HUB);
}

#[test]
fn who_leaves_gets_no_messages_from_then_on_and_handshakes_to_the_end() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1 b2 b3 b4 a2");
    let hub = Sender::External { sender_index: 0 };
    let leaving = proposals(vec![
        proposal(5, member(1), Proposal::SelfRemove),
        proposal(5, member(1), Proposal::Remove { removed: 2 }),
        proposal(5, member(0), Proposal::Remove { removed: 3 }),
        proposal(5, hub, Proposal::Remove { removed: 4 }),
    ]);
    let all: Vec<String> = ["b1", "b2", "b3", "b4"].map(String::from).into();
    assert_eq!(shell.take(&leaving), (all.clone(), true));
    // What another member proposed may come to nothing: b3 reads on.
    assert_eq!(shell.take(&application(5)), (vec!["b3".into()], true));
    let commit = cast.commit(5, 0, "a1", vec![remove(1), remove(2), remove(4)]);
    assert_eq!(shell.take(&commit), (all, true));
    assert_eq!(shell.take(&application(6)), (vec!["b3".into()], true));
}

#[test]
fn a_message_writes_no_rows_and_a_commit_only_what_it_changes() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1 b2 a2");
    assert!(shell.takes(&[application(5), application(5)]).changes.is_empty());
    let commit = cast.commit(5, 0, "a1", vec![remove(3)]);
    let changes = shell.takes(&[commit]).changes;
    assert_eq!(
        (changes.puts.len(), changes.deletes.len()),
        (1, 1),
        "the head and one leaf"
    );
}

#[test]
fn a_removed_device_gets_the_commit_that_removes_it_and_nothing_after() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1 b2");
    let commit = cast.commit(5, 0, "a1", vec![remove(1)]);
    assert_eq!(shell.take(&commit), (vec!["b1".into(), "b2".into()], true));
    assert_eq!(shell.take(&application(6)), (vec!["b2".into()], true));
    assert!(!shell.follower.leaves_room(&own()));
    let commit = cast.commit(6, 0, "a1", vec![remove(2)]);
    assert_eq!(shell.take(&commit), (vec!["b2".into()], true));
    assert!(shell.follower.leaves_room(&own()));
}

#[test]
fn an_added_device_gets_its_welcome_and_not_the_commit() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    shell.routes.insert(cast.reference("b2"), client("b2"));
    let add = cast.add("b2");
    let commit = cast.commit(5, 0, "a1", vec![by_value(add)]);
    assert_eq!(shell.take(&commit), (vec!["b1".into()], true));
    let welcome = cast.welcome(&["b2"], "a1 b1 b2");
    assert_eq!(shell.take(&welcome), (vec!["b2".into()], true));
    assert_eq!(
        (shell.roster(), shell.follower.epoch()),
        (roster("a1 b1 b2"), Some(6))
    );
    assert_eq!(
        shell.take(&application(6)),
        (vec!["b1".into(), "b2".into()], true)
    );
}

#[test]
fn steps_apply_in_the_order_of_mls() {
    let mut cast = Cast::new();
    let (add_3, add_4) = (cast.add("b3"), cast.add("a4"));
    let update = Proposal::Update(Box::new(cast.leaf("a9")));
    for (before, proposals, after) in [
        // Adds take the leftmost blank leaves, those of this commit's removes among them, then the right end.
        (
            "a1 b1 . a2",
            vec![by_value(add_3.clone()), by_value(add_4.clone())],
            "a1 b1 b3 a2 a4",
        ),
        (
            "a1 b1 a2 a3",
            vec![by_value(add_3.clone()), remove(2), by_value(add_4.clone())],
            "a1 b1 b3 a3 a4",
        ),
        // What a remove cut off is not missed.
        (
            "a1 b1 a2 a3 a5",
            vec![remove(4), remove(3), by_value(add_3.clone())],
            "a1 b1 a2 b3",
        ),
        // Other proposals change nothing; a leaf removed twice is removed.
        ("a1 b1 a2", vec![remove(2), remove(2)], "a1 b1"),
        // An update by value is the committer's.
        ("a1 b1 a2", vec![by_value(update)], "a1 b1 a2"),
    ] {
        let mut shell = story(&mut cast, before);
        let commit = cast.commit(5, 0, "a1", proposals);
        assert!(shell.take(&commit).1, "{before}");
        assert_eq!((shell.roster(), shell.follower.epoch()), (roster(after), Some(6)));
    }
}

#[test]
fn proposals_by_reference_are_remembered_for_their_epoch() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1 b2 a2");
    let leaves = proposal(5, member(2), Proposal::SelfRemove);
    let renews = proposal(5, member(3), Proposal::Update(Box::new(cast.leaf("a9"))));
    let hub = proposal(
        5,
        Sender::External { sender_index: 0 },
        Proposal::Remove { removed: 1 },
    );
    let add = cast.add("b3");
    let joins = proposal(5, Sender::NewMemberProposal, add);
    assert!(shell.take(&proposals(vec![leaves.clone(), renews.clone()])).1);
    assert!(shell.take(&proposals(vec![joins.clone(), hub.clone()])).1);
    let all = [&leaves, &renews, &joins, &hub].map(by_reference).to_vec();
    let commit = cast.commit(5, 0, "a1", all);
    assert_eq!(shell.take(&commit), (vec!["b1".into(), "b2".into()], true));
    assert_eq!(shell.roster(), roster("a1 b3 . a9"));
    // The epoch is over, and its proposals with it.
    assert!(shell.rows.len() < 6, "{:?}", shell.rows.len());
    let stale = cast.commit(6, 0, "a1", vec![by_reference(&leaves)]);
    assert!(!shell.take(&stale).1);
}

#[test]
fn a_commit_that_does_not_fit_takes_no_device_out_and_the_next_tree_repairs() {
    let mut cast = Cast::new();
    let unseen = proposal(5, member(1), Proposal::SelfRemove);
    let outsider = Sender::External { sender_index: 0 };
    let odd = vec![
        cast.commit(5, 0, "a1", vec![by_reference(&unseen), remove(1)]),
        cast.commit(5, 0, "a1", vec![remove(7)]),
        cast.commit(5, 7, "a1", vec![]),
        cast.commit(9, 0, "a1", vec![remove(1)]),
        cast.commit(3, 0, "a1", vec![remove(1)]),
        commit_message(5, member(7), vec![], None),
        commit_message(5, Sender::NewMemberCommit, vec![], None),
        commit_message(5, outsider, vec![remove(1)], None),
        commit_message(5, outsider, vec![by_value(Proposal::SelfRemove)], None),
        commit_message(u64::MAX, member(0), vec![remove(1)], None),
    ];
    for commit in odd {
        let mut shell = story(&mut cast, "a1 b1 a2");
        assert_eq!(shell.take(&commit), (vec!["b1".into()], false), "{commit:?}");
        assert_eq!(
            (shell.roster(), shell.follower.epoch()),
            (roster("a1 b1 a2"), Some(5))
        );
        // Later messages are passed on all the same.
        assert_eq!(shell.take(&application(10)), (vec!["b1".into()], false));
        shell.routes.insert(cast.reference("b2"), client("b2"));
        let add = cast.add("b2");
        let commit = cast.commit(12, 0, "a1", vec![by_value(add)]);
        assert_eq!(shell.take(&commit), (vec!["b1".into()], false));
        let welcome = cast.welcome(&["b2"], "a1 a2 b2");
        assert_eq!(shell.take(&welcome), (vec!["b2".into()], true));
        assert_eq!(
            (shell.roster(), shell.follower.epoch()),
            (roster("a1 a2 b2"), Some(13))
        );
        assert_eq!(shell.take(&application(13)), (vec!["b2".into()], true));
    }
}

#[test]
fn a_commit_without_path_fits() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    let add = cast.add("a2");
    assert!(
        shell
            .take(&commit_message(5, member(1), vec![by_value(add)], None))
            .1
    );
    assert_eq!(shell.roster(), roster("a1 b1 a2"));
}

#[test]
fn an_external_joiner_takes_the_leftmost_blank_leaf_and_gets_its_own_commit() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1 . a2");
    let commit = cast.external(5, "b2", &[]);
    assert_eq!(shell.take(&commit), (vec!["b1".into(), "b2".into()], true));
    assert_eq!(shell.roster(), roster("a1 b1 b2 a2"));
    // Again, after it lost its state: its old leaf goes.
    let commit = cast.external(6, "b1", &[1]);
    assert_eq!(shell.take(&commit), (vec!["b1".into(), "b2".into()], true));
    assert_eq!(shell.roster(), roster("a1 b1 b2 a2"));
    assert_eq!(shell.attached(), Vec::<String>::new());
}

#[test]
fn stapled_proposals_are_of_the_new_epoch() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    let again = proposal(
        6,
        Sender::External { sender_index: 0 },
        Proposal::Remove { removed: 0 },
    );
    let mut commit = cast.external(5, "a2", &[]);
    if let FanoutBody::Commit {
        external_proposals, ..
    } = &mut commit.body
    {
        external_proposals.push(again.clone());
    }
    assert!(shell.take(&commit).1);
    let commit = cast.commit(6, 1, "b1", vec![by_reference(&again)]);
    assert!(shell.take(&commit).1);
    assert_eq!(shell.roster(), roster(". b1 a2"));
}

#[test]
fn a_device_whose_join_the_roster_cannot_show_is_attached() {
    let mut cast = Cast::new();
    let mut shell = Shell::new();
    assert!(shell.follower.leaves_room(&own()));
    // Without a roster the external commit itself attaches.
    let commit = cast.external(3, "b1", &[]);
    assert_eq!(shell.take(&commit), (vec!["b1".into()], false));
    assert_eq!(
        shell.take(&cast.external(4, "a1", &[])),
        (vec!["b1".into()], false)
    );
    // A device may say so by itself, for a hub need not send its own commit back.
    shell.attach(&client("b2"));
    shell.attach(&client("b2"));
    assert_eq!(shell.attached(), ["b1", "b2"]);
    assert!(!shell.follower.leaves_room(&own()));
    assert_eq!(
        shell.take(&application(5)),
        (vec!["b1".into(), "b2".into()], false)
    );
    // A tree shows one of them; of the other the log has not spoken yet.
    shell.routes.insert(cast.reference("b3"), client("b3"));
    let welcome = cast.welcome(&["b3"], "a1 b1 b3");
    assert_eq!(shell.take(&welcome), (vec!["b3".into()], true));
    assert_eq!(shell.attached(), ["b2"]);
    assert_eq!(
        shell.take(&cast.external(7, "b2", &[])),
        (vec!["b1".into(), "b2".into(), "b3".into()], true)
    );
    assert_eq!(
        (shell.attached(), shell.roster()),
        (vec![], roster("a1 b1 b3 b2"))
    );
    // Whom the roster shows needs no attaching, and detaching does not touch the roster.
    shell.attach(&client("b2"));
    shell.detach(&client("b2"));
    assert_eq!((shell.attached(), shell.roster().len()), (vec![], 4));
}

#[test]
fn whoever_entered_while_the_roster_was_stale_leaves_with_the_next_tree() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    assert!(!shell.take(&cast.external(8, "b2", &[])).1);
    // That it says so as well changes nothing.
    shell.attach(&client("b2"));
    assert_eq!(shell.attached(), ["b2"]);
    shell.attach(&client("b4"));
    // A tree with neither: the log says that `b2` came, so it has left again; `b4` may yet come.
    shell.routes.insert(cast.reference("b3"), client("b3"));
    let add = cast.add("b3");
    assert!(!shell.take(&cast.commit(10, 0, "a1", vec![by_value(add)])).1);
    assert!(shell.take(&cast.welcome(&["b3"], "a1 b1 b3")).1);
    assert_eq!(shell.attached(), ["b4"]);
    shell.detach(&client("b4"));
    assert_eq!(
        shell.take(&application(11)),
        (vec!["b1".into(), "b3".into()], true)
    );
}

#[test]
fn a_welcome_may_come_before_its_commit() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1 b2");
    shell.routes.insert(cast.reference("b3"), client("b3"));
    let welcome = cast.welcome(&["b3"], "a1 b3 b2");
    assert_eq!(shell.take(&welcome), (vec!["b3".into()], true));
    assert_eq!(shell.follower.epoch(), None);
    // The commit removes `b1`, which the tree does not show any more: it gets it nevertheless.
    let add = cast.add("b3");
    let commit = cast.commit(5, 0, "a1", vec![remove(1), by_value(add)]);
    assert_eq!(
        shell.take(&commit),
        (vec!["b1".into(), "b2".into(), "b3".into()], true)
    );
    assert_eq!(
        (shell.roster(), shell.follower.epoch()),
        (roster("a1 b3 b2"), Some(6))
    );
    assert_eq!(
        shell.take(&application(6)),
        (vec!["b2".into(), "b3".into()], true)
    );
}

#[test]
fn a_first_tree_without_its_commit_is_of_the_next_handshakes_epoch() {
    let mut cast = Cast::new();
    let welcome = cast.welcome(&["b1"], "a1 b1");
    let next = cast.commit(6, 0, "a1", vec![remove(1)]);
    let announced = proposal(6, member(1), Proposal::SelfRemove);
    let follows = cast.commit(6, 0, "a1", vec![by_reference(&announced)]);
    for later in [vec![next], vec![proposals(vec![announced]), follows]] {
        let mut shell = Shell::new();
        shell.routes.insert(cast.reference("b1"), client("b1"));
        assert_eq!(shell.take(&welcome), (vec!["b1".into()], true));
        // A hub may still accept a message of the epoch before: it decides nothing.
        assert_eq!(shell.take(&application(5)), (vec!["b1".into()], true));
        for message in later {
            assert_eq!(shell.take(&message), (vec!["b1".into()], true));
        }
        assert_eq!((shell.roster(), shell.follower.epoch()), (roster("a1"), Some(7)));
    }
}

#[test]
fn a_repeated_welcome_is_passed_on_and_does_not_turn_the_roster_back() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1 b2");
    assert!(shell.take(&cast.commit(5, 0, "a1", vec![remove(2)])).1);
    let welcome = cast.welcome(&["b1"], "a1 b1 b2");
    assert_eq!(shell.take(&welcome), (vec!["b1".into()], true));
    assert_eq!(
        (shell.roster(), shell.follower.epoch()),
        (roster("a1 b1"), Some(6))
    );
    // A repeated commit too; the shell knows both by their hashes.
    assert_eq!(
        shell.take(&cast.commit(5, 0, "a1", vec![remove(1)])),
        (vec!["b1".into()], false)
    );
    assert_eq!(shell.roster(), roster("a1 b1"));
}

#[test]
fn a_repeated_external_commit_brings_nobody_back() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    let joins = cast.external(5, "b2", &[]);
    assert!(shell.take(&joins).1);
    assert!(shell.take(&cast.commit(6, 0, "a1", vec![remove(2)])).1);
    assert_eq!(shell.take(&joins), (vec!["b1".into(), "b2".into()], false));
    assert_eq!((shell.attached(), shell.roster()), (vec![], roster("a1 b1")));
    assert_eq!(shell.take(&application(7)), (vec!["b1".into()], true));
}

#[test]
fn a_tree_that_contradicts_the_roster_wins_and_is_noted() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    shell.routes.insert(cast.reference("b2"), client("b2"));
    let add = cast.add("b2");
    assert!(shell.take(&cast.commit(5, 0, "a1", vec![by_value(add)])).1);
    assert_eq!(
        shell.take(&cast.welcome(&["b2"], "a1 b1 a2 b2")),
        (vec!["b2".into()], false)
    );
    assert_eq!(
        (shell.roster(), shell.follower.epoch()),
        (roster("a1 b1 a2 b2"), Some(6))
    );
}

#[test]
fn a_welcome_for_others_concerns_nobody_and_one_without_tree_attaches() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    assert_eq!(shell.take(&cast.welcome(&["c1"], "a1 a2")), (vec![], true));
    assert_eq!(shell.roster(), roster("a1 b1"));
    shell.routes.insert(cast.reference("b2"), client("b2"));
    let welcome = cast.welcome_with(&["c1", "b2"], RatchetTreeOption::DistributionService);
    assert_eq!(shell.take(&welcome), (vec!["b2".into()], true));
    assert_eq!(shell.attached(), ["b2"]);
    let references = welcome_references(&batch(&[application(1), welcome])).unwrap();
    assert_eq!(
        references,
        BTreeSet::from([cast.reference("b2"), cast.reference("c1")])
    );
}

#[test]
fn a_leaf_of_another_form_keeps_its_place() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    let mut package = cast.package("a2");
    package.leaf_node = stranger(package.leaf_node);
    let commit = cast.commit(
        5,
        0,
        "a1",
        vec![by_value(Proposal::Add(Box::new(package.clone())))],
    );
    assert!(shell.take(&commit).1);
    package.cipher_suite = CipherSuite::MLS_256_DHKEMP384_AES256GCM_SHA384_P384;
    let other_hash = cast.commit(6, 0, "a1", vec![by_value(Proposal::Add(Box::new(package)))]);
    assert!(shell.take(&other_hash).1);
    assert_eq!(shell.roster(), roster("a1 b1 ? ?"));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut cast = Cast::new();
    let mut shell = story(&mut cast, "a1 b1");
    let many: Vec<MlsMessage> = (0..u32::try_from(MAX_PROPOSALS).unwrap() + 1)
        .map(|leaf| proposal(5, member(leaf), Proposal::SelfRemove))
        .collect();
    assert!(!shell.take(&proposals(many.clone())).1, "one too many");
    assert_eq!(shell.follower.membership.proposals.len(), MAX_PROPOSALS);
    assert!(
        !shell
            .take(&cast.commit(5, 0, "a1", vec![by_reference(many.last().unwrap())]))
            .1
    );
    for number in 0..MAX_ATTACHED {
        shell.follower.attach(client(&format!("b{number}x"))).unwrap();
    }
    assert!(matches!(
        shell.follower.attach(client("b-more")),
        Err(FollowerError::TooManyAttached)
    ));
    shell.follower.attach(client("b0x")).unwrap();
}
