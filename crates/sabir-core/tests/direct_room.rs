//! Two people and their engines, with nothing between them but a list: the whole way of a message.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod attack_support;
#[path = "../../sabir-mls/tests/world/mod.rs"]
mod world;

use attack_support::{Client, Story, alice, bob};
use sabir_core::conversation::{ConversationContext, FrankState, RequestKind};
use sabir_core::hub::{HubContext, Origin};
use sabir_wire::codec::Decode as _;
use sabir_wire::content::MimiContent;
use sabir_wire::protocol::{
    SubmitMessageRequest, SubmitMessageResponse, UpdateOutcome, UpdateRequest, UpdateRoomResponse,
};
use sabir_wire::uri::{Domain, UserUri};

#[test]
fn a_conversation_in_order_franked_and_the_same_for_both() {
    let mut story = Story::new(1);
    story.open();
    story.say(alice, "one");
    story.say(alice, "two");
    story.settle();
    story.say(bob, "three");
    story.settle();
    story.say(alice, "four");
    story.settle();
    assert_eq!(story.alice.texts(), ["one", "two", "three", "four"]);
    assert_eq!(story.bob.texts(), story.alice.texts());
    story.agree();
    let states = story
        .bob
        .messages()
        .chain(story.alice.messages())
        .map(|message| message.frank_state);
    assert!(states.into_iter().all(|state| state == FrankState::Verified));
    let ids = |client: &Client| {
        client
            .messages()
            .map(|message| message.message_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&story.alice), ids(&story.bob));
    assert!(story.alice.conversation.as_ref().unwrap().queued() == 0);
}

#[test]
fn engines_that_restart_between_any_two_steps_lose_and_repeat_nothing() {
    let mut story = Story::new(2);
    story.open();
    for line in ["one", "two", "three"] {
        story.say(alice, line);
    }
    let mut idle = 0;
    while idle < 3 {
        story.restart();
        let mut busy = story.step(alice);
        story.restart();
        busy |= story.deliver(bob);
        story.restart();
        busy |= story.deliver(alice);
        idle = if busy { 0 } else { idle + 1 };
    }
    story.say(bob, "four");
    story.restart();
    story.settle();
    assert_eq!(story.alice.texts(), ["one", "two", "three", "four"]);
    assert_eq!(story.bob.texts(), story.alice.texts());
    story.agree();
}

#[test]
fn a_lost_answer_is_repeated_and_nothing_happens_twice() {
    let mut story = Story::new(3);
    story.open();
    story.settle();
    story.say(alice, "one");
    // The request reaches the hub, the answer is lost: the same bytes go out again.
    let cx = ConversationContext {
        device: &story.alice.device,
        me: &story.alice.me,
        anchors: &story.world.anchors,
    };
    let conversation = story.alice.conversation.as_mut().unwrap();
    let effects = conversation.prepare(cx, story.now, &mut story.rng).unwrap();
    effects.changes.apply_to(&mut story.alice.rows);
    let request = conversation.outstanding(story.now).unwrap();
    let uri = story.alice.uri.clone();
    let first = story.request(&uri, request.kind, &request.body);
    let again = story.request(&uri, request.kind, &request.body);
    assert_eq!(first, again);
    story.settle();
    assert_eq!(story.bob.texts(), ["one"]);
    assert_eq!(story.alice.texts(), ["one"]);
}

#[test]
fn the_echo_may_come_before_the_answer() {
    let mut story = Story::new(4);
    story.open();
    story.settle();
    story.say(alice, "one");
    let cx = ConversationContext {
        device: &story.alice.device,
        me: &story.alice.me,
        anchors: &story.world.anchors,
    };
    let conversation = story.alice.conversation.as_mut().unwrap();
    let effects = conversation.prepare(cx, story.now, &mut story.rng).unwrap();
    effects.changes.apply_to(&mut story.alice.rows);
    let request = conversation.outstanding(story.now).unwrap();
    let uri = story.alice.uri.clone();
    let answer = story.request(&uri, request.kind, &request.body);
    assert!(story.deliver(alice));
    let cx = ConversationContext {
        device: &story.alice.device,
        me: &story.alice.me,
        anchors: &story.world.anchors,
    };
    let conversation = story.alice.conversation.as_mut().unwrap();
    let effects = conversation
        .answered(cx, story.now, &request, &answer, &mut story.rng)
        .unwrap();
    assert!(effects.events.is_empty());
    story.settle();
    assert_eq!(story.alice.texts(), ["one"]);
}

#[test]
fn the_hub_refuses_by_code_and_changes_nothing() {
    let mut story = Story::new(5);
    story.open();
    story.say(alice, "one");
    story.settle();
    let rows = story.hub.rows.clone();
    let cx = ConversationContext {
        device: &story.bob.device,
        me: &story.bob.me,
        anchors: &story.world.anchors,
    };
    let conversation = story.bob.conversation.as_mut().unwrap();
    let compose = |origin: sabir_wire::content::Origin<'_>| MimiContent::plain(origin, "x");
    conversation.send(cx, [0; 16], compose, &mut story.rng).unwrap();
    conversation.prepare(cx, story.now, &mut story.rng).unwrap();
    let body = conversation.outstanding(story.now).unwrap().body;
    let good = SubmitMessageRequest::from_bytes(&body).unwrap();
    let hub_cx = HubContext {
        identity: &story.identity,
        anchors: &story.world.anchors,
    };
    let from = |domain: &str| Origin {
        provider: Domain::parse(domain).unwrap(),
        client: None,
    };
    let hub = story.hub.hub.as_mut().unwrap();
    let mut submit = |origin: &Origin, request: &SubmitMessageRequest| {
        let effects = hub.submit(hub_cx, story.now, origin, request.clone()).unwrap();
        assert!(effects.events.is_empty() && effects.changes.is_empty());
        SubmitMessageResponse::from_bytes(&effects.reply).unwrap()
    };
    // Another provider, another sender, an outsider.
    assert_eq!(
        submit(&from("a.example"), &good),
        SubmitMessageResponse::NotAllowed
    );
    let as_alice = SubmitMessageRequest {
        sending_uri: story.alice.me.clone(),
        ..good.clone()
    };
    assert_eq!(
        submit(&from("b.example"), &as_alice),
        SubmitMessageResponse::NotAllowed
    );
    let mallory = UserUri::parse("mimi://b.example/u/mallory").unwrap();
    let as_mallory = SubmitMessageRequest {
        sending_uri: mallory,
        ..good.clone()
    };
    assert_eq!(
        submit(&from("b.example"), &as_mallory),
        SubmitMessageResponse::NotAllowed
    );
    // Epochs.
    let with_epoch = |epoch: u64| {
        let mut request = good.clone();
        if let sabir_wire::mls::MlsMessage::Private(message) = &mut request.app_message {
            message.epoch = epoch;
        }
        request
    };
    let old = submit(&from("b.example"), &with_epoch(0));
    assert_eq!(old, SubmitMessageResponse::EpochTooOld { current_epoch: 1 });
    assert_eq!(
        submit(&from("b.example"), &with_epoch(9)),
        SubmitMessageResponse::NotAllowed
    );
    assert_eq!(story.hub.rows, rows);
}

#[test]
fn a_commit_for_an_epoch_that_passed_is_told_the_current_one() {
    let mut story = Story::new(6);
    story.open();
    while !matches!(
        story.alice.conversation.as_ref().unwrap().outstanding(story.now),
        Some(request) if request.kind == RequestKind::Update
    ) {
        assert!(story.step(alice));
    }
    let request = story
        .alice
        .conversation
        .as_ref()
        .unwrap()
        .outstanding(story.now)
        .unwrap();
    story.settle();
    // The same commit in other clothes: not a repeat, so not the stored answer.
    let update = UpdateRequest::from_bytes(&request.body).unwrap();
    let cx = HubContext {
        identity: &story.identity,
        anchors: &story.world.anchors,
    };
    let origin = Origin {
        provider: story.identity.domain.clone(),
        client: Some(story.alice.uri.clone()),
    };
    let hub = story.hub.hub.as_mut().unwrap();
    let effects = hub
        .update(cx, story.now, &origin, &update, &story.hub.routes)
        .unwrap();
    let answer = UpdateRoomResponse::from_bytes(&effects.reply).unwrap();
    assert_eq!(answer.outcome, UpdateOutcome::WrongEpoch { current_epoch: 1 });
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let now = world::now();
    // The members' rows are left out: the library writes the wall clock into them, and reads it nowhere.
    let run = |seed| {
        let mut story = Story::at(seed, now);
        story.open();
        story.say(alice, "one");
        story.settle();
        story.say(bob, "two");
        story.settle();
        (
            story.hub.rows,
            story.hub.answers,
            story.alice.events,
            story.bob.events,
        )
    };
    assert!(run(7) == run(7));
    assert!(run(7) != run(8));
}
