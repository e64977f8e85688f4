//! Fan-out to followers that are slow, dead or in trouble.

use std::net::TcpListener;
use std::time::Duration;

use sabir_store::{CreateRoom, RoomEvent, RoomKind, RoomWrite};

use crate::support::scene::Scene;

/// Many rooms with a follower, and something for it in each.
async fn rooms_with(scene: &Scene, follower: &str, count: usize) {
    for number in 0..count {
        one_room(scene, follower, number, crate::support::now()).await;
    }
}

async fn one_room(scene: &Scene, follower: &str, number: usize, now: u64) -> String {
    let event = RoomEvent {
        kind: 1,
        body: vec![0; 100],
        followers: vec![follower.to_owned()],
        ..RoomEvent::default()
    };
    let room = format!("mimi://a.example/r/{follower}{number}");
    let write = RoomWrite {
        room: room.clone(),
        events: vec![event],
        now,
        ..RoomWrite::default()
    };
    let command = CreateRoom {
        kind: RoomKind::Hub,
        hub_domain: "a.example".to_owned(),
        write,
    };
    scene.a.shared.store.create_room(command).await.unwrap();
    room
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_hangs_or_is_dead_delays_no_other() {
    let mut scene = Scene::talking_beside(&["c.example", "d.example"]).await;
    // It accepts connections and says nothing; nobody listens at the other's.
    let silent = TcpListener::bind(scene.town.address("c.example")).unwrap();
    rooms_with(&scene, "c.example", 100).await;
    rooms_with(&scene, "d.example", 100).await;
    for line in ["three", "four"] {
        scene.alice.say(line);
        scene.alice.flush().await;
    }
    scene.bob.hear(&["one", "two", "three", "four"]).await;
    drop(silent);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_that_hang_are_many_and_delay_nobody() {
    let names: Vec<String> = (0..12).map(|number| format!("dead{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut scene = Scene::talking_beside(&names).await;
    // They accept connections and say nothing; more waits for each than all of them together may have at once.
    let mut silent = Vec::new();
    for name in &names {
        silent.push(TcpListener::bind(scene.town.address(name)).unwrap());
        rooms_with(&scene, name, 60).await;
    }
    scene.alice.say("three");
    scene.alice.flush().await;
    scene.alice.say("four");
    scene.alice.flush().await;
    // Before the first of them is given up.
    tokio::time::timeout(
        Duration::from_secs(5),
        scene.bob.hear(&["one", "two", "three", "four"]),
    )
    .await
    .expect("in time");
    drop(silent);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_in_trouble_gets_everything_later_and_once() {
    let mut scene = Scene::talking().await;
    scene.disk_b.set_full(true);
    for line in ["three", "four", "five"] {
        scene.alice.say(line);
        scene.alice.flush().await;
    }
    // A full disk is told with `Retry-After: 1`: longer than the first waits of our own choice, a quarter of a second.
    let waits = async {
        let store = &scene.a.shared.store;
        while store.outbox_due_after(0).unwrap().unwrap() < crate::support::now() + 700 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, waits)
        .await
        .expect("the outbox waits as it is told");
    scene.disk_b.set_full(false);
    scene.bob.hear(&["one", "two", "three", "four", "five"]).await;
    // It took the batch and the answer was lost: the batch comes again and changes nothing.
    scene.settled().await;
    scene.disk_b.fail_write(1, sabir_store::Fault::AfterApply);
    scene.alice.say("six");
    scene.alice.flush().await;
    scene.alice.say("seven");
    scene.alice.flush().await;
    scene
        .bob
        .hear(&["one", "two", "three", "four", "five", "six", "seven"])
        .await;
    scene.settled().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_and_could_not_be_noted_goes_out_again_soon() {
    let mut scene = Scene::talking().await;
    let before = scene.disk_a.writes();
    // The message is the first; that b.example has it, the second.
    scene.disk_a.fail_write(2, sabir_store::Fault::BeforeApply);
    scene.alice.say("three");
    scene.alice.flush().await;
    scene.settled().await;
    assert!(
        scene.disk_a.writes() >= before + 3,
        "it failed and was done again"
    );
    scene.bob.hear(&["one", "two", "three"]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_back_holds_nothing_up() {
    let scene = Scene::talking().await;
    // Frozen before the clock was set back by an hour.
    let room = one_room(&scene, "b.example", 0, crate::support::now() + 3_600_000).await;
    let store = &scene.a.shared.store;
    let tried = async {
        // b.example is in no such room: it refuses the batch, which is then tried later.
        while store
            .outbox_batch(&room, "b.example")
            .unwrap()
            .is_some_and(|batch| batch.attempts == 0)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, tried)
        .await
        .expect("it is sent all the same");
    scene.stop().await;
}
