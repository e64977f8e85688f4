//! JSON-RPC over the real socket: what is well formed, what is not, and what is too much.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "helpers that each test file shares"
)]

mod support;

use std::net::Shutdown;

use serde_json::{Value, json};
use support::Profile;

#[test]
fn each_slip_has_its_code_and_the_connection_goes_on() {
    let profile = Profile::new();
    profile.start();
    let mut peer = profile.connect();
    for (line, id, code) in [
        ("{", Value::Null, -32700),
        ("hello", Value::Null, -32700),
        ("[]", Value::Null, -32600),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"agent.status"}]"#,
            Value::Null,
            -32600,
        ),
        (r#"{"id":1,"method":"agent.status"}"#, json!(1), -32600),
        (
            r#"{"jsonrpc":"2.0","id":2,"method":"agent.fly"}"#,
            json!(2),
            -32601,
        ),
        (
            r#"{"jsonrpc":"2.0","id":3,"method":"agent.status","params":[]}"#,
            json!(3),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":4,"method":"agent.status","params":{"x":1}}"#,
            json!(4),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":5,"method":"message.send","params":{"to":"bob@b.example"}}"#,
            json!(5),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":6,"method":"message.send","params":{"to":1,"text":"x"}}"#,
            json!(6),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"message.send","params":{"to":"bob@b.example","text":""}}"#,
            json!(7),
            11,
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"room.log","params":{"room":"bob@b.example","limit":0}}"#,
            json!(8),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":9,"method":"room.log","params":{"room":"bob@b.example","limit":501}}"#,
            json!(9),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":10,"method":"message.status","params":{"local_id":-1}}"#,
            json!(10),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":11,"method":"message.status","params":{"local_id":1,"wait_ms":60001}}"#,
            json!(11),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":12,"method":"events.subscribe","params":{"after":"x"}}"#,
            json!(12),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":13,"method":"account.show"}"#,
            json!(13),
            1,
        ),
        (r#"{"jsonrpc":"2.0","id":14,"method":"rooms.list"}"#, json!(14), 1),
        (
            r#"{"jsonrpc":"2.0","id":15,"method":"events.subscribe"}"#,
            json!(15),
            1,
        ),
        (
            r#"{"jsonrpc":"2.0","id":16,"method":"message.send","params":{"to":"bob@b.example","text":"x"}}"#,
            json!(16),
            1,
        ),
    ] {
        peer.put(format!("{line}\n").as_bytes());
        let answer = peer.line().unwrap();
        assert_eq!(
            (&answer["id"], answer["error"]["code"].as_i64()),
            (&id, Some(code)),
            "{line}: {answer}"
        );
        assert_eq!(answer["jsonrpc"], "2.0");
        assert!(answer["error"]["data"]["name"].is_string());
        assert!(answer.get("result").is_none());
    }
    assert_eq!(peer.ask("agent.status", json!({}))["result"]["connections"], 1);
}

#[test]
fn a_wrong_parameter_is_not_repeated_in_the_error() {
    let profile = Profile::new();
    profile.start();
    let mut peer = profile.connect();
    for params in [
        json!({"invite": 1, "name": "hush-hush"}),
        json!({"invite": {"hush-hush": 1}}),
    ] {
        let answer = peer.ask("account.create", params);
        assert!(!answer.to_string().contains("hush-hush"), "{answer}");
    }
    assert!(!profile.log().contains("hush-hush"));
}

#[test]
fn requests_are_answered_in_their_order_and_notifications_are_not() {
    let profile = Profile::new();
    profile.start();
    let mut peer = profile.connect();
    let mut lines = String::new();
    for id in 0..200 {
        lines.push_str(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"agent.status\"}}\n"
        ));
        lines.push_str("{\"jsonrpc\":\"2.0\",\"method\":\"agent.status\"}\n\n  \r\n");
    }
    peer.put(lines.as_bytes());
    for id in 0..200 {
        assert_eq!(peer.line().unwrap()["id"], id);
    }
}

#[test]
fn who_closes_its_own_side_still_gets_its_answers() {
    let profile = Profile::new();
    profile.start();
    let mut peer = profile.connect();
    peer.put(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agent.status\"}\n{\"jsonrpc\":");
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer.line().unwrap()["id"], 1);
    assert!(peer.line().is_none(), "what was cut short is not answered");
}

#[test]
fn a_line_that_is_too_long_or_no_text_ends_the_connection_and_no_other() {
    let profile = Profile::new();
    profile.start();
    let mut other = profile.connect();
    let long = vec![b'x'; 600_000];
    for bytes in [&long[..], b"\xff\xfe\n"] {
        let mut peer = profile.connect();
        // The agent may close while this is being written.
        let _ = std::io::Write::write_all(&mut peer.stream, bytes);
        let first = peer.line();
        assert!(first.is_none_or(|answer| answer["error"]["code"] == -32600));
        assert!(peer.line().is_none());
    }
    assert!(other.ask("agent.status", json!({}))["result"].is_object());
}

#[test]
fn the_longest_line_is_taken() {
    let profile = Profile::new();
    profile.start();
    let mut peer = profile.connect();
    let mut line = br#"{"jsonrpc":"2.0","id":1,"method":"agent.status"}"#.to_vec();
    line.resize(512 * 1024, b' ');
    line.push(b'\n');
    peer.put(&line);
    assert_eq!(peer.line().unwrap()["id"], 1);
}

#[test]
fn there_is_room_for_256_connections_and_no_more() {
    let profile = Profile::new();
    profile.start();
    let mut peers = vec![profile.connect()];
    support::eventually("nobody else is connected", || {
        peers[0].ask("agent.status", json!({}))["result"]["connections"] == 1
    });
    peers.extend((1..256).map(|_| profile.connect()));
    let answer = peers.last_mut().unwrap().ask("agent.status", json!({}));
    assert_eq!(answer["result"]["connections"], 256);
    let mut turned_away = profile.connect();
    assert_eq!(turned_away.line().unwrap()["error"]["data"]["name"], "busy");
    assert!(turned_away.line().is_none());
    drop(peers.pop());
    support::eventually("there is room again", || {
        let mut peer = profile.connect();
        let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agent.status\"}\n";
        let _ = std::io::Write::write_all(&mut peer.stream, line);
        peer.line().is_some_and(|answer| answer["id"] == 1)
    });
}

#[test]
fn a_peer_that_never_reads_is_bounded_and_harms_nobody() {
    let profile = Profile::new();
    profile.start();
    let deaf = profile.connect();
    deaf.stream.set_nonblocking(true).unwrap();
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agent.status\"}\n".repeat(1000);
    let mut written = 0;
    // The agent stops reading when its answers are not taken: then the socket takes no more.
    loop {
        match std::io::Write::write(&mut &deaf.stream, &line) {
            Ok(bytes) => written += bytes,
            Err(_) => {
                std::thread::sleep(std::time::Duration::from_millis(300));
                if std::io::Write::write(&mut &deaf.stream, &line).is_err() {
                    break;
                }
            }
        }
        assert!(written < 20_000_000, "it reads for ever");
    }
    assert!(profile.connect().ask("agent.status", json!({}))["result"].is_object());
}

#[test]
fn stop_is_answered_and_who_asks_later_is_told() {
    let profile = Profile::new();
    profile.start();
    let (mut first, mut second) = (profile.connect(), profile.connect());
    assert!(second.ask("agent.status", json!({}))["result"].is_object());
    assert_eq!(first.ask("agent.stop", json!({}))["result"]["stopping"], true);
    assert!(first.line().is_none());
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agent.status\"}\n";
    if std::io::Write::write_all(&mut second.stream, line).is_ok() {
        // Answered in time, or the connection is closed: never a result.
        assert!(
            second
                .line()
                .is_none_or(|answer| answer["error"]["data"]["name"] == "stopping")
        );
    }
}
