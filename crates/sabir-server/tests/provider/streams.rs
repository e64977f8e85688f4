//! Event streams: resumed by cursor, alive when idle, ended between two events.

use sabir_core::key_material;
use sabir_wire::client_api::{AckRequest, Event, EventBody, path};
use sabir_wire::codec::Encode;
use sabir_wire::protocol::{KeyMaterialResponse, KeyMaterialUserCode};

use crate::support::connection::Stream;
use crate::support::scene::Scene;

async fn next_fanout(stream: &mut Stream) -> Event {
    loop {
        let event = stream.next().await.expect("the stream goes on");
        if matches!(event.body, EventBody::Fanout { .. }) {
            return event;
        }
    }
}

#[tokio::test]
async fn streams_resume_and_are_many() {
    let mut scene = Scene::talking().await;
    let cursor = scene.bob.cursor;
    let mut streams = [
        scene.bob.online.events(cursor).await,
        scene.bob.online.events(cursor).await,
    ];
    for line in ["three", "four"] {
        scene.alice.say(line);
    }
    scene.alice.flush().await;
    let mut seen = Vec::new();
    for stream in &mut streams {
        let events = [next_fanout(stream).await, next_fanout(stream).await];
        assert!(cursor < events[0].cursor && events[0].cursor < events[1].cursor);
        seen.push(events);
    }
    assert_eq!(seen[0], seen[1]);
    // Once more from the middle; what was acknowledged is gone.
    let mut again = scene.bob.online.events(seen[0][0].cursor).await;
    assert_eq!(next_fanout(&mut again).await, seen[0][1]);
    let ack = AckRequest {
        cursor: seen[0][0].cursor,
    };
    for _ in 0..2 {
        assert_eq!(
            scene.bob.online.post(path::ACK, &ack.to_bytes()).await.status,
            200
        );
    }
    let mut from_the_start = scene.bob.online.events(0).await;
    assert_eq!(next_fanout(&mut from_the_start).await, seen[0][1]);

    // Idle, it says that it is alive, and where it stands.
    let idle = streams[0].next().await.unwrap();
    assert_eq!(idle.body, EventBody::Keepalive);
    assert_eq!(idle.cursor, seen[0][1].cursor);
    // The provider stops: the streams end between two events, which `next` checks.
    let [mut first, _] = streams;
    scene.stop().await;
    while first.next().await.is_some() {}
}

/// Also where there is always something to tell, so that the stream is never idle.
#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let mut scene = Scene::talking().await;
    let cursor = scene.bob.cursor;
    let mut stream = scene.bob.online.events(cursor).await;
    scene.alice.say("three");
    scene.alice.flush().await;
    let told = next_fanout(&mut stream).await;
    let shared = &scene.b.shared;
    let revoked = shared
        .sessions
        .revoke(&shared.store, scene.bob.online.client.as_str())
        .await;
    revoked.unwrap();
    scene.alice.say("four");
    scene.alice.flush().await;
    while let Some(event) = stream.next().await {
        assert!(
            event.cursor <= told.cursor,
            "told after the token was taken away: {event:?}"
        );
    }
    scene.stop().await;
}

#[tokio::test]
async fn a_device_is_told_when_it_runs_out() {
    let scene = Scene::new().await;
    let (alice, bob) = (&scene.alice.online, &scene.bob.online);
    let mut stream = bob.events(0).await;
    let target = format!("{}{}", path::KEY_MATERIAL, bob.user.to_path_segment());
    let request = key_material::build_request(&alice.mls, &alice.user, &bob.user, None).unwrap();
    let answer = alice.post(&target, &request.to_bytes()).await;
    let response: KeyMaterialResponse = answer.read();
    assert_eq!(response.user_status, KeyMaterialUserCode::Success);
    // The same bytes get the same key packages.
    assert_eq!(alice.post(&target, &request.to_bytes()).await, answer);
    loop {
        let event = stream.next().await.unwrap();
        if let EventBody::KeyPackagesLow { available } = event.body {
            assert_eq!(available, 2);
            break;
        }
    }
    assert_eq!(bob.available().await, 2);
    scene.stop().await;
}
