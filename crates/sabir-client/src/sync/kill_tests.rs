//! A process that is killed while it sends: what it was told is on disk goes out, once, in order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::tests::{World, soon};
use super::*;
use crate::testing::quick;

const PROFILE: &str = "SABIR_KILL_TEST_PROFILE";
const FIRST: &str = "SABIR_KILL_TEST_FIRST";
/// Kills, each a little later than the one before.
const KILLS: u64 = 12;
const BOB: &str = "bob@a.example";

/// What the killed process does. On its own it does nothing.
#[tokio::test]
async fn victim() {
    let Some(profile) = std::env::var_os(PROFILE) else {
        return;
    };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let client = Client::open(Path::new(&profile), None, quick()).await.unwrap();
    for number in first.. {
        client.send_text(BOB, &number.to_string()).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "sent {number}").unwrap();
        out.flush().unwrap();
        drop(out);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Lets the victim send from `first` on and kills it; says the last number it was told is safe.
fn run_and_kill(profile: &Path, first: u64, lives: Duration) -> Option<u64> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sync::kill_tests::victim", "--nocapture"])
        .env(PROFILE, profile)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(victim.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let told = out
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("sent ")?.parse().ok());
        told.last()
    });
    std::thread::sleep(lives);
    victim.kill().unwrap();
    victim.wait().unwrap();
    reader.join().unwrap()
}

#[tokio::test]
async fn nothing_that_was_accepted_is_lost_or_doubled_by_kills() {
    let world = World::new();
    let provider = world.provider("a.example").await;
    let alice = world.person("alice", &provider).await;
    let bob = world.person("bob", &provider).await;
    alice.shutdown().await;
    let profile = world.profile("alice");
    let mut safe = Vec::new();
    let mut first = 0;
    for kill in 0..KILLS {
        let lives = Duration::from_millis(60 + 53 * kill);
        let profile = profile.clone();
        let last = tokio::task::spawn_blocking(move || run_and_kill(&profile, first, lives))
            .await
            .unwrap();
        if let Some(last) = last {
            safe.extend(first..=last);
        }
        // A number that was under way when the process died may be on disk or not: it is not used again.
        first = last.map_or(first, |last| last + 1) + 1;
    }
    assert!(safe.len() > 20, "{safe:?}");
    let alice = world.open("alice").await;
    alice.send_text(BOB, "end").await.unwrap();
    let seen = soon(async {
        loop {
            let seen = bob
                .timeline("alice@a.example", None, 1000)
                .await
                .unwrap_or_default();
            if seen.last().is_some_and(|message| message.text == "end") {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(alice.rooms().await.unwrap().len(), 1);
    let numbers: Vec<u64> = seen
        .iter()
        .filter_map(|message| message.text.parse().ok())
        .collect();
    assert_eq!(numbers.len() + 1, seen.len());
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert!(
        safe.iter().all(|number| numbers.contains(number)),
        "{safe:?} {numbers:?}"
    );
}
