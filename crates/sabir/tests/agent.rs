//! The agent's life, on real processes: one per profile, whatever happens to it.
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

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use support::{Outcome, Profile, eventually, gone, kill, mode};

#[test]
fn a_hundred_commands_at_once_start_one_agent() {
    let profile = Profile::new();
    let children: Vec<_> = (0..100)
        .map(|_| {
            let mut command = profile.sabir(&["--json", "account", "show"]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(outcome.error()["name"], "no_account", "{outcome:?}");
        assert_eq!(outcome.code, 1);
    }
    assert_eq!(
        profile.log().matches("the agent runs").count(),
        1,
        "{}",
        profile.log()
    );
}

#[test]
fn an_agent_that_was_killed_is_replaced() {
    let profile = Profile::new();
    for _ in 0..3 {
        let pid = profile.start();
        kill(pid, Signal::KILL);
        gone(pid);
        assert!(
            profile.folder.join("agent.sock").exists(),
            "the dead one's socket is still there"
        );
    }
    profile.start();
    assert_eq!(profile.log().matches("the agent runs").count(), 4);
}

#[test]
fn a_hundred_commands_replace_a_killed_agent_by_one() {
    let profile = Profile::new();
    let pid = profile.start();
    kill(pid, Signal::KILL);
    let children: Vec<_> = (0..100)
        .map(|_| {
            let mut command = profile.sabir(&["account", "show"]);
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
    assert_eq!(
        profile.log().matches("the agent runs").count(),
        2,
        "{}",
        profile.log()
    );
}

#[test]
fn everything_it_makes_is_private() {
    let profile = Profile::new();
    profile.start();
    for name in ["agent.sock", "agent.lock", "agent.start", "agent.log"] {
        assert_eq!(mode(&profile.folder.join(name)), 0o600, "{name}");
    }
}

#[test]
fn it_leaves_the_session_of_the_command_that_started_it() {
    let profile = Profile::new();
    let pid = profile.start();
    let session = rustix::process::getsid(Some(pid)).unwrap();
    assert_eq!(session, pid);
    let fds = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap();
    for fd in fds {
        let target = std::fs::read_link(fd.unwrap().path()).unwrap_or_default();
        assert!(
            !target.starts_with("/dev/pts"),
            "it holds the terminal: {}",
            target.display()
        );
        assert!(!target.ends_with("agent.start"), "it holds its starter's lock");
    }
}

#[test]
fn stop_ends_it_and_says_so_and_a_second_stop_is_no_error() {
    let profile = Profile::new();
    let pid = profile.start();
    let outcome = profile.run(&["agent", "stop", "--json"]);
    assert_eq!((outcome.code, &outcome.object()["stopped"]), (0, &true.into()));
    gone(pid);
    assert!(!profile.folder.join("agent.sock").exists());
    let outcome = profile.run(&["agent", "stop", "--json"]);
    assert_eq!((outcome.code, &outcome.object()["stopped"]), (0, &false.into()));
    let outcome = profile.run(&["agent", "status", "--json"]);
    assert_eq!((outcome.code, &outcome.error()["name"]), (3, &"no_agent".into()));
    assert!(profile.log().contains("agent.stop"), "{}", profile.log());
}

#[test]
fn sigterm_ends_it_in_order() {
    let profile = Profile::new();
    let pid = profile.start();
    kill(pid, Signal::TERM);
    gone(pid);
    assert!(!profile.folder.join("agent.sock").exists());
    assert!(profile.log().contains("SIGTERM"), "{}", profile.log());
}

#[test]
fn it_ends_by_itself_when_nobody_is_connected() {
    let profile = Profile::new();
    let mut agent = profile.sabir(&["agent", "run", "--idle-exit", "1"]);
    let mut child = agent.stderr(Stdio::null()).spawn().unwrap();
    eventually("it runs", || profile.run(&["agent", "status"]).code == 0);
    let peer = profile.connect();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().unwrap().is_none(), "somebody is connected");
    drop(peer);
    assert!(child.wait().unwrap().success());
}

#[test]
fn in_the_foreground_it_says_what_it_is_and_a_second_one_is_refused() {
    let profile = Profile::new();
    let mut agent = profile.sabir(&["--json", "agent"]);
    let mut child = agent
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it runs", || profile.run(&["agent", "status"]).code == 0);
    let second = profile.run(&["--json", "agent", "run"]);
    assert_eq!((second.code, &second.error()["name"]), (1, &"agent_runs".into()));
    assert_eq!(profile.run(&["agent", "stop"]).code, 0);
    assert!(child.wait().unwrap().success());
    let mut first = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut first).unwrap();
    assert_eq!(first.lines().count(), 1);
    assert!(first.contains(r#""ready":true"#), "{first}");
}

#[test]
fn a_profile_with_a_long_path_works_all_the_same() {
    let profile = Profile::named(&"long-name-".repeat(15));
    let pid = profile.start();
    let link = profile.folder.join("agent.sock");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let socket = std::fs::read_link(&link).unwrap();
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    // Another environment than the agent's finds it too.
    let mut elsewhere = profile.sabir(&["agent", "status"]);
    assert!(
        elsewhere
            .env("XDG_RUNTIME_DIR", "/nowhere")
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    kill(pid, Signal::KILL);
    gone(pid);
    profile.start();
    assert_eq!(profile.run(&["agent", "stop"]).code, 0);
    assert!(!socket.exists());
}

#[test]
fn what_lies_in_the_way_of_the_socket_is_told() {
    let profile = Profile::new();
    std::fs::create_dir(profile.folder.join("agent.sock")).unwrap();
    let outcome = profile.run(&["--json", "account", "show"]);
    assert_ne!(outcome.code, 0);
    assert!(
        outcome.error()["message"].as_str().unwrap().contains("socket"),
        "{outcome:?}"
    );
}
