//! Two people of two providers talk.

use sabir_core::conversation::{ConversationEvent, FrankState};
use sabir_wire::uri::RoomUri;

use crate::support::person::Person;
use crate::support::talker::Talker;
use crate::support::town::{Running, Town};

async fn talker(town: &Town, at: &Running, name: &str, providers: &[&Running]) -> Talker {
    let person = Person::join(town, at, name).await;
    let online = person.device(&format!("{name}1"), 1).go_online(town, at).await;
    Talker::new(online, providers).await
}

fn room() -> RoomUri {
    RoomUri::parse("mimi://a.example/r/AAAAAAAAAAAAAAAAAAAAAA").unwrap()
}

fn no_alarms(talker: &Talker) {
    let alarm = |event: &&ConversationEvent| {
        matches!(
            event,
            ConversationEvent::Alarm(_) | ConversationEvent::Unreadable { .. }
        )
    };
    assert_eq!(talker.events.iter().find(alarm), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_over_two_providers_through_a_restart_of_both() {
    let town = Town::new(&["a.example", "b.example"]);
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    let mut alice = talker(&town, &a, "alice", &[&a, &b]).await;
    let mut bob = talker(&town, &b, "bob", &[&a, &b]).await;
    alice.open(&bob.online.user, &room()).await;
    alice.say("one");
    alice.flush().await;
    alice.hear(&["one"]).await;
    bob.hear(&["one"]).await;
    bob.say("two");
    bob.flush().await;
    bob.hear(&["one", "two"]).await;
    alice.hear(&["one", "two"]).await;

    // Both providers end and come back on their files; the tokens are good still.
    a.stop().await;
    b.stop().await;
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    alice.online.reconnect().await;
    bob.online.reconnect().await;
    bob.say("three");
    bob.flush().await;
    alice.say("four");
    alice.hear(&["one", "two", "three"]).await;
    alice.flush().await;
    alice.hear(&["one", "two", "three", "four"]).await;
    bob.hear(&["one", "two", "three", "four"]).await;

    for talker in [&alice, &bob] {
        no_alarms(talker);
        assert!(
            talker
                .messages()
                .all(|message| message.frank_state == FrankState::Verified)
        );
    }
    let heads = [&alice, &bob].map(|talker| {
        let conversation = talker.conversation.as_ref().unwrap();
        (conversation.epoch(), conversation.transcript_hash().to_vec())
    });
    assert_eq!(heads[0], heads[1]);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_away_gets_everything_when_it_is_back() {
    let town = Town::new(&["a.example", "b.example"]);
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    let mut alice = talker(&town, &a, "alice", &[&a, &b]).await;
    let mut bob = talker(&town, &b, "bob", &[&a, &b]).await;
    alice.open(&bob.online.user, &room()).await;
    alice.say("0");
    alice.flush().await;
    alice.hear(&["0"]).await;
    bob.hear(&["0"]).await;
    b.stop().await;
    let lines: Vec<String> = (1..30).map(|n| n.to_string()).collect();
    for line in &lines {
        alice.say(line);
    }
    alice.flush().await;
    let b = town.start("b.example").await;
    bob.online.reconnect().await;
    let all: Vec<&str> = std::iter::once("0")
        .chain(lines.iter().map(String::as_str))
        .collect();
    bob.hear(&all).await;
    no_alarms(&bob);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_of_one_provider() {
    let town = Town::new(&["a.example"]);
    let a = town.start("a.example").await;
    let mut alice = talker(&town, &a, "alice", &[&a]).await;
    let mut anna = talker(&town, &a, "anna", &[&a]).await;
    alice.open(&anna.online.user, &room()).await;
    alice.say("one");
    alice.flush().await;
    alice.hear(&["one"]).await;
    anna.hear(&["one"]).await;
    anna.say("two");
    anna.flush().await;
    alice.hear(&["one", "two"]).await;
    anna.hear(&["one", "two"]).await;
    no_alarms(&alice);
    no_alarms(&anna);
    a.stop().await;
}
