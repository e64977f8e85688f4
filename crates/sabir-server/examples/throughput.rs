//! How fast messages go from devices of one provider to devices of another: both providers and all devices in this process, on
//! loopback with TLS, each provider with a database on disk.
//!
//! `cargo run --release -p sabir-server --example throughput -- PAIRS MESSAGES`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    dead_code,
    reason = "a benchmark, on what the tests stand on"
)]

#[path = "../tests/provider/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use sabir_wire::client_api::EventBody;
use sabir_wire::uri::RoomUri;
use support::scene::talker;
use support::talker::Talker;
use support::town::Town;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<usize>().unwrap());
    let pairs = arguments.next().unwrap_or(32);
    let messages = arguments.next().unwrap_or(100);
    let town = Town::new(&["a.example", "b.example"]);
    let (a, b) = (town.start("a.example").await, town.start("b.example").await);
    let mut people = Vec::new();
    for number in 0..pairs {
        let mut alice = talker(&town, &a, &format!("alice{number}"), &[&a, &b]).await;
        let mut bob = talker(&town, &b, &format!("bob{number}"), &[&a, &b]).await;
        let room = RoomUri::parse(&format!("mimi://a.example/r/room{number}")).unwrap();
        alice.open(&bob.online.user, &room).await;
        alice.say("hello");
        alice.flush().await;
        alice.listen_until(|alice| !alice.texts().is_empty()).await;
        bob.listen_until(|bob| !bob.texts().is_empty()).await;
        people.push((alice, bob));
    }
    latency(&mut people[0]).await;

    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (mut alice, mut bob) in people {
        tasks.spawn(async move {
            for number in 0..messages {
                alice.say(&format!("message number {number} of many"));
            }
            let sending = async {
                alice.flush().await;
                start.elapsed()
            };
            let heard = bob.messages().count();
            let hearing = bob.listen_until(|bob| bob.messages().count() >= heard + messages);
            tokio::join!(sending, hearing).0
        });
    }
    let mut accepted = Duration::ZERO;
    while let Some(done) = tasks.join_next().await {
        accepted = accepted.max(done.unwrap());
    }
    let total = (pairs * messages) as f64;
    println!("accepted:  {:.0} messages/s", total / accepted.as_secs_f64());
    println!(
        "delivered: {:.0} messages/s",
        total / start.elapsed().as_secs_f64()
    );
    a.stop().await;
    b.stop().await;
}

/// From the sender's request to the receiver's stream, one message at a time.
async fn latency((alice, bob): &mut (Talker, Talker)) {
    let mut times = Vec::new();
    let mut stream = bob.online.events(bob.cursor).await;
    for _ in 0..200 {
        alice.say("a message");
        let start = Instant::now();
        alice.flush().await;
        let accepted = start.elapsed();
        while !matches!(stream.next().await.unwrap().body, EventBody::Fanout { .. }) {}
        times.push((start.elapsed(), accepted));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    println!(
        "submit to accepted:  p50 {:?}",
        median(times.iter().map(|times| times.1).collect())
    );
    println!(
        "submit to delivered: p50 {:?}",
        median(times.iter().map(|times| times.0).collect())
    );
}
