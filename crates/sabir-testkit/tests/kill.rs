//! kill -9 on everything, at any moment: nothing lost, nothing twice, order kept.
//!
//! `SABIR_KILL_ROUNDS` and `SABIR_KILL_SEED` make it longer and other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sabir_testkit::{Profile, Town, until};

/// A small generator of our own: the point is only that moments differ and repeat with the seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Writes a text down for sending. A command whose agent was killed may or may not have written it: then the
/// agent's own log says so.
fn write_down(from: &Profile, to: &Profile, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if from.ask(&["send", to.address(), text, "--queue"]).is_ok() {
            return;
        }
        if let Ok(log) = from.log(to.address())
            && log.iter().any(|(_, line)| line == text)
        {
            return;
        }
        assert!(Instant::now() < deadline, "{text} could not be written down");
    }
}

fn wait_for_room(person: &Profile, other: &Profile) {
    let what = format!("that {} has the room", person.address());
    until(&what, Duration::from_secs(60), || {
        (!lines(person, other).is_empty()).then_some(())
    })
    .unwrap();
}

fn lines(person: &Profile, other: &Profile) -> Vec<(String, String)> {
    person.log(other.address()).unwrap_or_default()
}

#[test]
fn whatever_is_killed_whenever_the_conversation_is_whole() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let number = |name: &str, default: u64| {
        let given = std::env::var(name).ok();
        given.map_or(default, |text| text.parse().expect(name))
    };
    let rounds = number("SABIR_KILL_ROUNDS", 12);
    let mut dice = Dice(number("SABIR_KILL_SEED", 20_261_121));
    let mut expected = BTreeSet::new();
    // The first message makes the room: kills fall into its making as well.
    for round in 0..rounds {
        for (from, to, name) in [(&alice, &bob, "alice"), (&bob, &alice, "bob")] {
            // Bob answers in Alice's room once he has it: who writes first on both sides makes two rooms, which is
            // another story.
            if name == "bob" {
                if round < 3 {
                    continue;
                }
                wait_for_room(&bob, &alice);
            }
            let text = format!("{name} {round:04}");
            write_down(from, to, &text);
            expected.insert((from.address().to_owned(), text));
        }
        std::thread::sleep(Duration::from_millis(dice.roll(120)));
        match dice.roll(4) {
            0 => restart(&mut town, "a.example"),
            1 => restart(&mut town, "b.example"),
            2 => alice.kill_agent().unwrap(),
            _ => bob.kill_agent().unwrap(),
        }
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (hers, his) = (lines(&alice, &bob), lines(&bob, &alice));
        let whole = |log: &[(String, String)]| log.len() == expected.len();
        if whole(&hers) && whole(&his) && hers == his {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "alice has {hers:?}\nbob has {his:?}\nexpected {expected:?}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let log = lines(&alice, &bob);
    assert_eq!(log.iter().cloned().collect::<BTreeSet<_>>(), expected);
    for person in [&alice, &bob] {
        let own: Vec<_> = log.iter().filter(|(from, _)| from == person.address()).collect();
        let mut sorted = own.clone();
        sorted.sort();
        assert_eq!(own, sorted, "{} wrote them in another order", person.address());
    }
}

fn restart(town: &mut Town, domain: &str) {
    let provider = town.provider_mut(domain).unwrap();
    provider.kill();
    provider.start().unwrap();
}
