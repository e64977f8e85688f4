//! Fan-out to followers that are slow, dead or in trouble.

use std::net::TcpListener;

use sabir_store::{CreateRoom, RoomEvent, RoomKind, RoomWrite};

use crate::support::scene::Scene;

/// Many rooms with a follower, and something for it in each.
async fn rooms_with(scene: &Scene, follower: &str, count: usize) {
    for number in 0..count {
        let event = RoomEvent {
            kind: 1,
            body: vec![0; 100],
            followers: vec![follower.to_owned()],
            ..RoomEvent::default()
        };
        let write = RoomWrite {
            room: format!("mimi://a.example/r/{follower}{number}"),
            events: vec![event],
            now: crate::support::now(),
            ..RoomWrite::default()
        };
        let command = CreateRoom {
            kind: RoomKind::Hub,
            hub_domain: "a.example".to_owned(),
            write,
        };
        scene.a.shared.store.create_room(command).await.unwrap();
    }
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
        while store.outbox_next_due().unwrap().unwrap() < crate::support::now() + 700 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
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
