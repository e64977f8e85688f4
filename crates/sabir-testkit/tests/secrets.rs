//! What providers store and log, and what a client's files show to whoever copies them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use sabir_testkit::{Town, find};

#[test]
fn no_file_of_a_provider_or_a_client_holds_the_words() {
    let mut town = Town::new(&["a.example", "b.example"]).unwrap();
    let alice = town.person("alice", "a.example").unwrap();
    let bob = town.person("bob", "b.example").unwrap();
    let words = ["the-heron-flies-at-noon", "bring-the-umbrella-and-the-map"];
    alice.send(bob.address(), words[0]).unwrap();
    bob.expect_log(alice.address(), &words[..1], Duration::from_secs(60))
        .unwrap();
    bob.send(alice.address(), words[1]).unwrap();
    alice
        .expect_log(bob.address(), &words, Duration::from_secs(60))
        .unwrap();
    for word in words {
        for folder in [
            town.provider("a.example").unwrap().folder(),
            town.provider("b.example").unwrap().folder(),
            alice.folder(),
            bob.folder(),
        ] {
            let found = find(folder, word.as_bytes()).unwrap();
            assert!(found.is_none(), "{found:?} holds {word}");
            // As UTF-16, as some databases store text.
            let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert!(find(folder, &wide).unwrap().is_none());
        }
    }
    // The search itself finds what is there.
    std::fs::write(town.folder().join("planted"), words[0]).unwrap();
    assert!(find(town.folder(), words[0].as_bytes()).unwrap().is_some());
    // A client's files do not name whom it talks to.
    assert!(find(alice.folder(), b"bob@b.example").unwrap().is_none());
    assert!(find(alice.folder(), b"mimi://b.example/u/bob").unwrap().is_none());
}
