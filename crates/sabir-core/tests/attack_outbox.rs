//! Crashes, lost answers and late ones between any two steps: no message is lost, none goes out twice, and
//! nothing waits for ever.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod attack_support;
#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

use attack_support::{Story, alice, bob};
use sabir_core::conversation::{
    Alarm, ConversationContext, ConversationError, ConversationEvent, RequestKind,
};
use sabir_mls::group::CommitPlan;
use sabir_wire::client_api::{CreateRoomOutcome, CreateRoomResponse};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::content::MimiContent;
use sabir_wire::protocol::{
    KeyMaterialRequest, KeyMaterialResponse, SubmitMessageResponse, UpdateOutcome, UpdateRoomResponse,
};

fn talking(seed: u64) -> Story {
    let mut story = Story::new(seed);
    story.open();
    story.say(alice, "one");
    story.settle();
    story
}

fn refresh() -> CommitPlan {
    CommitPlan {
        refresh: true,
        ..CommitPlan::default()
    }
}

/// Goes on until Alice's next request is of this kind.
fn until(story: &mut Story, kind: RequestKind) -> sabir_core::conversation::Request {
    for _ in 0..100 {
        match story.draw_up(alice) {
            Some(request) if request.kind == kind => return request,
            Some(_) => assert!(story.step(alice)),
            None => assert!(story.deliver(alice), "nothing goes on"),
        }
    }
    panic!("it never came");
}

#[test]
fn key_packages_that_were_not_there_are_asked_for_with_another_request() {
    let mut story = Story::new(1);
    story.hub.dry = true;
    story.open();
    story.say(alice, "one");
    story.settle();
    assert!(
        story
            .alice
            .events
            .iter()
            .any(|it| matches!(it, ConversationEvent::Waiting { .. }))
    );
    // The provider remembers what it answered to the same bytes.
    story.hub.dry = false;
    story.now += 60_000;
    story.settle();
    assert_eq!(story.bob.texts(), ["one"]);
}

#[test]
fn a_refused_commit_is_tried_less_and_less_often() {
    let mut story = Story::new(2);
    story.open();
    let refused = UpdateRoomResponse {
        error_description: "no".to_owned(),
        outcome: UpdateOutcome::NotAllowed,
    }
    .to_bytes();
    let mut waits = Vec::new();
    for _ in 0..3 {
        let request = until(&mut story, RequestKind::Update);
        story.answer(alice, &request, &refused).unwrap();
        let next = story.hers().next_timeout().unwrap();
        waits.push(next - story.now);
        story.now = next;
    }
    assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
}

#[test]
fn a_hub_that_says_wrong_epoch_at_the_same_epoch_is_not_asked_without_end() {
    let mut story = Story::new(3);
    story.open();
    let request = until(&mut story, RequestKind::Update);
    let lagging = UpdateRoomResponse {
        error_description: String::new(),
        outcome: UpdateOutcome::WrongEpoch { current_epoch: 0 },
    };
    story.answer(alice, &request, &lagging.to_bytes()).unwrap();
    assert!(story.hers().next_timeout().unwrap() > story.now);
    story.now += 60_000;
    story.say(alice, "one");
    story.settle();
    assert_eq!(story.bob.texts(), ["one"]);
}

#[test]
fn a_key_package_that_does_not_hold_is_no_endless_repeat() {
    let mut story = Story::new(4);
    story.open();
    let request = until(&mut story, RequestKind::KeyMaterial);
    let good = story.key_material(&request.body);
    let mut bad = KeyMaterialResponse::from_bytes(&good).unwrap();
    if let sabir_wire::protocol::ClientKeyStatus::Success(package) = &mut bad.clients[0].status {
        package.signature[0] ^= 1;
    }
    story.answer(alice, &request, &bad.to_bytes()).unwrap();
    assert!(story.hers().next_timeout().unwrap() > story.now);
    story.now += 60_000;
    story.say(alice, "one");
    story.settle();
    assert_eq!(story.bob.texts(), ["one"]);
}

#[test]
fn key_packages_are_asked_for_in_the_suite_of_the_group() {
    let mut story = Story::new(5);
    story.open();
    let request = until(&mut story, RequestKind::KeyMaterial);
    let request = KeyMaterialRequest::from_bytes(&request.body).unwrap();
    let meant = request
        .acceptable_ciphersuites
        .iter()
        .filter(|suite| !suite.is_grease());
    assert_eq!(meant.map(|suite| suite.0).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_clock_that_went_back_does_not_hold_up_a_retry() {
    let mut story = Story::new(6);
    story.hub.dry = true;
    let true_time = story.now;
    story.now += 20 * 24 * 3_600_000;
    story.open();
    while story.step(alice) {}
    story.hub.dry = false;
    story.now = true_time;
    story.say(alice, "one");
    story.settle();
    assert_eq!(story.bob.texts(), ["one"]);
}

#[test]
fn a_room_that_exists_already_is_the_one_that_was_asked_for() {
    let mut story = Story::new(7);
    story.open();
    story.say(alice, "one");
    let request = until(&mut story, RequestKind::CreateRoom);
    story.send_and_lose_answer(alice, &request);
    // The stored answer has expired meanwhile.
    let exists = CreateRoomResponse {
        description: String::new(),
        outcome: CreateRoomOutcome::AlreadyExists,
    };
    story.answer(alice, &request, &exists.to_bytes()).unwrap();
    story.settle();
    assert_eq!(story.bob.texts(), ["one"]);
}

#[test]
fn an_own_commit_whose_answer_was_lost_and_forgotten_is_merged_when_the_log_brings_it() {
    let mut story = Story::new(8);
    story.open();
    story.say(alice, "one");
    let request = until(&mut story, RequestKind::Update);
    story.send_and_lose_answer(alice, &request);
    let passed = UpdateRoomResponse {
        error_description: String::new(),
        outcome: UpdateOutcome::WrongEpoch { current_epoch: 1 },
    };
    story.answer(alice, &request, &passed.to_bytes()).unwrap();
    story.restart();
    story.settle();
    assert_eq!(story.bob.texts(), ["one"]);
    story.agree();
}

#[test]
fn an_accepted_message_that_never_comes_back_is_sent_again_in_the_next_epoch() {
    let mut story = talking(9);
    story.say(alice, "two");
    let request = until(&mut story, RequestKind::Submit);
    // The hub says yes and forgets.
    let forgotten = SubmitMessageResponse::Accepted {
        accepted_timestamp: story.now,
        frank: None,
    };
    story.answer(alice, &request, &forgotten.to_bytes()).unwrap();
    let (_, events) = story.rogue_commit(refresh());
    assert!(events.unwrap().is_empty());
    story.restart();
    assert_eq!(story.hers().queued(), 1);
    let again = story.draw_up(alice).unwrap();
    assert!(again.kind == RequestKind::Submit && again != request);
}

#[test]
fn a_message_sealed_before_a_commit_is_sealed_anew() {
    let mut story = talking(10);
    story.say(alice, "two");
    let old = until(&mut story, RequestKind::Submit);
    let (_, events) = story.rogue_commit(refresh());
    assert!(events.unwrap().is_empty());
    // The late answer to the old request is of no use any more.
    let too_old = SubmitMessageResponse::EpochTooOld { current_epoch: 2 };
    let new = story.draw_up(alice).unwrap();
    assert_ne!(new, old);
    story.answer(alice, &old, &too_old.to_bytes()).unwrap();
    assert_eq!(story.draw_up(alice), Some(new));
}

#[test]
fn a_message_that_the_hub_took_and_forgot_is_known_again_and_not_sent_twice() {
    let mut story = talking(15);
    story.say(alice, "two");
    let request = until(&mut story, RequestKind::Submit);
    story.send_and_lose_answer(alice, &request);
    let current_epoch = story.hers().epoch() + 1;
    let too_old = SubmitMessageResponse::EpochTooOld { current_epoch };
    story.answer(alice, &request, &too_old.to_bytes()).unwrap();
    while story.deliver(alice) {}
    let (_, events) = story.rogue_commit(refresh());
    assert_eq!(events.unwrap(), [ConversationEvent::Ready]);
    assert_eq!(story.alice.texts(), ["one", "two"]);
    assert_eq!(story.hers().queued(), 0);
    assert_eq!(story.draw_up(alice), None);
}

#[test]
fn a_refusal_to_take_messages_can_be_got_over() {
    let mut story = talking(11);
    story.say(alice, "two");
    let request = until(&mut story, RequestKind::Submit);
    story
        .answer(alice, &request, &SubmitMessageResponse::NotAllowed.to_bytes())
        .unwrap();
    let last = story.alice.events.last().unwrap();
    assert!(matches!(
        last,
        ConversationEvent::Alarm(Alarm::SendingRefused { .. })
    ));
    story.restart();
    assert_eq!(story.draw_up(alice), None);
    // What is written meanwhile waits too, in order.
    story.say(alice, "three");
    story.resume();
    story.settle();
    assert_eq!(story.bob.texts(), ["one", "two", "three"]);
    assert_eq!(story.alice.texts(), story.bob.texts());
}

#[test]
fn a_hub_to_whom_its_own_epoch_is_too_old_is_not_asked_in_a_loop() {
    let mut story = talking(13);
    story.say(alice, "two");
    let request = until(&mut story, RequestKind::Submit);
    let current_epoch = story.hers().epoch();
    let too_old = SubmitMessageResponse::EpochTooOld { current_epoch };
    story.answer(alice, &request, &too_old.to_bytes()).unwrap();
    assert!(matches!(
        story.alice.events.last().unwrap(),
        ConversationEvent::Alarm(Alarm::SendingRefused { .. })
    ));
    story.restart();
    assert_eq!(story.draw_up(alice), None);
    story.resume();
    story.settle();
    assert_eq!(story.bob.texts(), ["one", "two"]);
}

#[test]
fn a_message_in_anothers_name_does_not_get_into_the_outbox() {
    let mut story = talking(12);
    let anchors = story.world.anchors.clone();
    let cx = ConversationContext {
        device: &story.alice.device,
        me: &story.alice.me,
        anchors: &anchors,
    };
    let compose = |origin: sabir_wire::content::Origin<'_>| {
        let other = sabir_wire::content::Origin {
            sender_uri: "mimi://b.example/u/bob",
            ..origin
        };
        MimiContent::plain(other, "x")
    };
    let conversation = story.alice.conversation.as_mut().unwrap();
    let refused = conversation.send(cx, [1; 16], compose, &mut story.rng);
    assert!(matches!(refused, Err(ConversationError::Refused(_))));
    assert_eq!(story.hers().queued(), 0);
}

#[test]
fn the_record_is_written_when_it_changes_and_not_with_every_message() {
    let mut story = talking(13);
    story.say(alice, "two");
    let anchors = story.world.anchors.clone();
    let cx = ConversationContext {
        device: &story.alice.device,
        me: &story.alice.me,
        anchors: &anchors,
    };
    let conversation = story.alice.conversation.as_mut().unwrap();
    let effects = conversation.prepare(cx, story.now, &mut story.rng).unwrap();
    assert!(!effects.changes.puts.contains_key(b"econversation".as_slice()));
    assert!(!effects.changes.is_empty());
}

#[test]
fn somebody_joins_whose_inviters_certificate_has_run_out_since() {
    let mut story = Story::new(14);
    story.open();
    story.say(alice, "one");
    while story.bob.inbox.is_empty() {
        assert!(story.step(alice));
    }
    // The entry is judged at the time the hub gave it: here a year and a day after the certificates were issued.
    let entry = story.bob.inbox.pop_front().unwrap();
    let mut late = sabir_wire::protocol::FanoutMessage::from_bytes(&entry).unwrap();
    late.timestamp += world::YEAR + 24 * 3_600_000;
    story.bob.inbox.push_front(late.to_bytes());
    assert!(story.deliver(bob));
    assert!(story.bob.conversation.is_some());
}
