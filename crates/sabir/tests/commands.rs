//! Exit codes, hints, and what goes to which stream.
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

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use support::{Outcome, Profile, sabir};

const INVITE: &str = "https://a.example/invite/x";

#[test]
fn each_failure_has_its_exit_code_its_name_and_a_hint() {
    let profile = Profile::new();
    let long = "x".repeat(65_537);
    for (args, code, name) in [
        (&["account", "show"][..], 1, "no_account"),
        (&["rooms"], 1, "no_account"),
        (&["log", "bob@b.example"], 1, "no_account"),
        (&["log", "bob@"], 2, "address_malformed"),
        (&["log", "Hikers"], 1, "no_account"),
        (&["room", "create", "Hikers", "bob@b.example"], 1, "no_account"),
        (&["room", "create", "Hikers", "bob"], 2, "address_malformed"),
        (
            &["room", "add", "Hikers", "mimi://b.example/r/x"],
            2,
            "address_malformed",
        ),
        (&["room", "show", "Hikers"], 1, "no_account"),
        (&["watch"], 1, "no_account"),
        (&["chat", "bob@b.example"], 1, "no_account"),
        (&["chat", "mimi://b.example"], 2, "address_malformed"),
        (&["send", "bob@b.example", "hi"], 1, "no_account"),
        (&["send", "@b.example", "hi"], 2, "address_malformed"),
        (&["send", "mimi://b.example/d/x", "hi"], 2, "address_malformed"),
        (&["send", "bob@b.example", &long], 2, "text_refused"),
        (&["reply", "12", "hi"], 1, "no_account"),
        (&["reply", "bob@b.example", "hi"], 2, "invalid_params"),
        (&["reply", "#12", ""], 2, "text_refused"),
        (&["react", "12", "👍"], 1, "no_account"),
        (&["react", "twelve", "👍"], 2, "invalid_params"),
        (&["edit", "12", "hi"], 1, "no_account"),
        (&["edit", "-", "hi"], 2, "invalid_params"),
        (&["delete", "12"], 1, "no_account"),
        (&["delete", "12a"], 2, "invalid_params"),
        (&["read", "bob@b.example"], 1, "no_account"),
        (&["read", "bob@"], 2, "address_malformed"),
        (&["read", "bob@b.example", "--until", "x"], 2, "invalid_params"),
        (&["settings"], 1, "no_account"),
        (
            &["account", "create", "http://a.example/x", "--name", "alice"],
            2,
            "invite_malformed",
        ),
    ] {
        let plain = profile.run(args);
        assert_eq!(plain.code, code, "{args:?}: {plain:?}");
        assert!(
            plain.stderr.lines().next().unwrap().starts_with("error: "),
            "{args:?}: {plain:?}"
        );
        assert!(!plain.hints().is_empty(), "{args:?}: {plain:?}");
        assert_eq!(plain.stdout, "", "{args:?}");

        let json = profile.run(&[&["--json"], args].concat());
        assert_eq!(
            (json.code, &json.error()["name"]),
            (code, &name.into()),
            "{args:?}: {json:?}"
        );
        assert_eq!(json.stdout, "", "{args:?}");
    }
}

#[test]
fn usage_is_two_and_help_is_zero_on_stdout() {
    for args in [&["fly"][..], &["send"], &["--profile"], &[]] {
        let outcome = Outcome::of(sabir().args(args).output().unwrap());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{args:?}");
        assert!(!outcome.stderr.is_empty());
    }
    for args in [
        &["--help"][..],
        &["help", "send"],
        &["agent", "--help"],
        &["--version"],
    ] {
        let outcome = Outcome::of(sabir().args(args).output().unwrap());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}");
        assert!(outcome.stdout.starts_with(|c: char| !c.is_whitespace()));
    }
}

#[test]
fn a_slip_is_told_before_anything_is_made() {
    let profile = Profile::new();
    let folder = profile.folder.join("new");
    let run = |args: &[&str]| Outcome::of(sabir().arg("--profile").arg(&folder).args(args).output().unwrap());
    for args in [
        &["account", "show"][..],
        &["send", "bob@b.example", "hi"],
        &["account", "create", "https://a.example/x", "--name", "alice"],
        &[
            "account",
            "create",
            INVITE,
            "--name",
            "alice",
            "--trust-anchor",
            "/nonexistent",
        ],
        &[
            "account",
            "create",
            INVITE,
            "--name",
            "alice",
            "--trust-anchor",
            "/dev/null",
        ],
        &["agent", "status"],
        &["agent", "stop"],
    ] {
        run(args);
        assert!(!folder.exists(), "{args:?}");
    }
}

#[test]
fn a_folder_that_others_may_enter_is_refused_with_the_cure() {
    let profile = Profile::new();
    let folder = profile.folder.join("open");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = Outcome::of(
        sabir()
            .arg("--profile")
            .arg(&folder)
            .arg("rooms")
            .output()
            .unwrap(),
    );
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.hints()[0].contains("chmod 700"), "{outcome:?}");
}

#[test]
fn without_a_home_the_profile_has_to_be_named() {
    let mut command = sabir();
    command
        .args(["--json", "rooms"])
        .env_remove("HOME")
        .env_remove("XDG_DATA_HOME");
    let outcome = Outcome::of(command.output().unwrap());
    assert_eq!((outcome.code, &outcome.error()["name"]), (2, &"no_home".into()));
}

#[test]
fn the_default_profile_is_where_the_system_keeps_data() {
    let base = tempfile::tempdir().unwrap();
    let mut command = sabir();
    let outcome = Outcome::of(
        command
            .arg("rooms")
            .env("XDG_DATA_HOME", base.path())
            .output()
            .unwrap(),
    );
    let default = base.path().join("sabir/default");
    assert!(outcome.stderr.contains(default.to_str().unwrap()), "{outcome:?}");
}

#[test]
fn standard_input_is_checked_before_it_is_sent() {
    let profile = Profile::new();
    for (input, name) in [
        (&b""[..], "text_refused"),
        (b"\n", "text_refused"),
        (b"\xff\xfe", "text_refused"),
        (b"hi\n", "no_account"),
    ] {
        let mut command = profile.sabir(&["--json", "send", "bob@b.example", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(outcome.error()["name"], name, "{input:?}");
    }
}

#[test]
fn nobody_reading_is_no_error() {
    let profile = Profile::new();
    profile.start();
    let mut command = profile.sabir(&["--json", "agent", "status"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let outcome = Outcome::of(child.wait_with_output().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
}

/// A file with a certificate in it.
fn anchor(profile: &Profile) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["a.example".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let path = profile.folder.join("anchor.pem");
    std::fs::write(&path, certificate.pem()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_provider_that_is_not_there_is_three_and_the_creation_can_go_on_or_start_over() {
    let profile = Profile::new();
    let anchor = anchor(&profile);
    let create = |extra: &[&str]| {
        // Nobody listens on port 1.
        let link = "https://a.example/invite/hush-hush#connect=127.0.0.1:1";
        let args = [
            &[
                "account",
                "create",
                link,
                "--name",
                "alice",
                "--trust-anchor",
                &anchor,
            ],
            extra,
        ]
        .concat();
        profile.run(&args)
    };
    let first = create(&["--json"]);
    assert_eq!(
        (first.code, &first.error()["name"]),
        (3, &"provider_unreachable".into()),
        "{first:?}"
    );
    let again = create(&[]);
    assert_eq!(again.code, 3, "{again:?}");
    assert!(
        again.hints().iter().any(|hint| hint.contains("--start-over")),
        "{again:?}"
    );
    // It survives the agent.
    assert_eq!(profile.run(&["agent", "stop"]).code, 0);
    assert_eq!(create(&["--json"]).error()["name"], "provider_unreachable");
    assert_eq!(
        create(&["--json", "--start-over"]).error()["name"],
        "provider_unreachable"
    );
    assert_eq!(
        profile.run(&["--json", "account", "show"]).error()["name"],
        "no_account"
    );
    assert!(!profile.log().contains("hush-hush"), "{}", profile.log());
}

#[test]
fn a_damaged_profile_is_told_by_the_agent_that_does_not_start() {
    let profile = Profile::new();
    std::fs::write(profile.folder.join("profile.key"), "no key").unwrap();
    let outcome = profile.run(&["--json", "account", "show"]);
    assert_eq!(
        (outcome.code, &outcome.error()["name"]),
        (1, &"store_failed".into()),
        "{outcome:?}"
    );
    assert_eq!(profile.run(&["agent", "status"]).code, 3);
}

#[test]
fn a_profile_s_folder_names_the_account_unless_it_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let link = "https://a.example/invite/AAAA#connect=127.0.0.1:1";
    let run = |profile: &str| {
        let profile = folder.path().join(profile);
        std::process::Command::new(env!("CARGO_BIN_EXE_sabir"))
            .args(["--profile", profile.to_str().unwrap(), "account", "create", link])
            .output()
            .unwrap()
    };
    let unnamed = run("default");
    assert_eq!(unnamed.status.code(), Some(2), "{unnamed:?}");
    assert!(String::from_utf8_lossy(&unnamed.stderr).contains("hint: sabir account create LINK --name"));
    // With a name it gets as far as the provider, which is not there.
    let named = run("alice");
    assert_eq!(named.status.code(), Some(3), "{named:?}");
    let _ = std::process::Command::new(env!("CARGO_BIN_EXE_sabir"))
        .args([
            "--profile",
            folder.path().join("alice").to_str().unwrap(),
            "agent",
            "stop",
        ])
        .output();
}
