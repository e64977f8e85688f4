//! Many commands on one profile: one agent, nothing lost, everything in order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::time::{Duration, Instant};

use sabir_testkit::Town;

#[test]
fn chat_watch_and_a_hundred_sends_share_one_agent() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    alice.send(bob.address(), "first").unwrap();
    bob.expect_log(alice.address(), &["first"], Duration::from_secs(60))
        .unwrap();

    let mut watch = alice.spawn(&["watch", "--json"]).unwrap();
    let mut chat = alice.spawn(&["chat", bob.address()]).unwrap();
    let mut typed = chat.stdin.take().unwrap();
    typed.write_all(b"typed into chat\n").unwrap();
    typed.flush().unwrap();
    let pid = alice.agent_pid().unwrap();

    let senders: Vec<_> = (0..100)
        .map(|number| {
            let (alice, to) = (alice.clone(), bob.address().to_owned());
            std::thread::spawn(move || {
                alice
                    .ask(&["send", &to, &format!("message {number:03}"), "--queue"])
                    .map(drop)
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap().unwrap();
    }
    bob.send(alice.address(), "reply").unwrap();

    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (hers, his) = (
            alice.log(bob.address()).unwrap(),
            bob.log(alice.address()).unwrap(),
        );
        if hers.len() == 103 && hers == his {
            let texts: BTreeSet<_> = hers.into_iter().map(|(_, text)| text).collect();
            assert_eq!(texts.len(), 103);
            assert!((0..100).all(|number| texts.contains(&format!("message {number:03}"))));
            assert!(texts.contains("typed into chat") && texts.contains("reply"));
            break;
        }
        assert!(
            Instant::now() < deadline,
            "alice has {} lines, bob {}",
            hers.len(),
            his.len()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(alice.agent_pid().unwrap(), pid, "another agent took over");

    // The end of what is typed ends the chat; it printed the reply.
    drop(typed);
    let out = chat.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let shown = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(shown.contains("reply"), "{shown}");

    // The watcher saw all of it; every line is JSON.
    let mut seen = BTreeSet::new();
    let stdout = watch.stdout.take().unwrap();
    for line in BufReader::new(stdout).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(text) = event
            .pointer("/event/message/text")
            .and_then(serde_json::Value::as_str)
        {
            seen.insert(text.to_owned());
        }
        if seen.len() == 103 {
            break;
        }
    }
    assert_eq!(seen.len(), 103, "{seen:?}");
    watch.kill().unwrap();
    watch.wait().unwrap();
}
