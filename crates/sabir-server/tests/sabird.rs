//! The binary: configuration, start, administration, stop.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

fn sabird(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sabird"));
    command.args(arguments).env_remove("SABIRD_LOG");
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A data directory with certificates, and a configuration beside it.
fn prepare(dir: &Path) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["a.example".to_owned()];
    let cert = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    let data = dir.join("data");
    fs::create_dir_all(data.join("tls")).unwrap();
    fs::write(data.join("tls/cert.pem"), cert.pem()).unwrap();
    fs::write(data.join("tls/key.pem"), key.serialize_pem()).unwrap();
    fs::write(data.join("tls/ca.pem"), ca.pem()).unwrap();
    let file = dir.join("sabird.toml");
    let settings = format!(
        "domain = \"a.example\"\nlisten = \"127.0.0.1:0\"\ndata_dir = {:?}\n[tls]\ntrust = \"tls/ca.pem\"\n",
        data.to_str().unwrap()
    );
    fs::write(&file, settings).unwrap();
    file.to_str().unwrap().to_owned()
}

/// A running server, which is killed when a test fails.
struct Running(Child, BufReader<std::process::ChildStderr>);

impl Running {
    fn start(config: &str) -> Self {
        let mut child = sabird(&["--config", config])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        while !seen.contains("serving") {
            assert_ne!(log.read_line(&mut seen).unwrap(), 0, "it ended: {seen}");
        }
        Self(child, log)
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(
                self.1.read_line(&mut line).unwrap(),
                0,
                "it ended without {words:?}"
            );
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_example_passes_its_own_check() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sabird.toml");
    let example = sabird(&["config", "default"]).output().unwrap();
    assert!(example.status.success());
    fs::write(&file, &example.stdout).unwrap();
    let checked = sabird(&["config", "check", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(checked.status.success() && checked.stdout.is_empty());

    fs::write(&file, "domain = \"a.example\"\nlisten_on = \"127.0.0.1:1\"\n").unwrap();
    let refused = sabird(&["config", "check", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty());
    assert_eq!(
        text(&refused.stderr),
        "error: unknown key `listen_on`; did you mean `listen`?\n"
    );
}

#[test]
fn it_runs_is_administered_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let config = prepare(dir.path());
    let idle = sabird(&["--config", &config, "account", "list"])
        .output()
        .unwrap();
    assert!(!idle.status.success());
    assert!(
        text(&idle.stderr).starts_with("error: no server runs on"),
        "{}",
        text(&idle.stderr)
    );

    let mut server = Running::start(&config);
    let invite = json(
        &sabird(&["--config", &config, "invite", "create", "--uses", "3", "--json"])
            .output()
            .unwrap(),
    );
    assert_eq!(invite["uses"], 3);
    assert_eq!(
        invite["link"].as_str().unwrap(),
        format!("https://a.example/invite/{}", invite["token"].as_str().unwrap())
    );
    let plain = sabird(&["invite", "create", "--config", &config])
        .output()
        .unwrap();
    let link = text(&plain.stdout).trim_end();
    let token = link.strip_prefix("https://a.example/invite/").unwrap();
    assert_eq!(token.len(), 22);
    let accounts = json(
        &sabird(&["--config", &config, "account", "list", "--json"])
            .output()
            .unwrap(),
    );
    assert_eq!(accounts, serde_json::json!([]));
    let refused = sabird(&["--config", &config, "invite", "create", "--uses", "0"])
        .output()
        .unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty());

    let second = sabird(&["--config", &config]).output().unwrap();
    assert!(!second.status.success(), "one process a data directory");
    assert!(
        text(&second.stderr).contains("open in another process"),
        "{}",
        text(&second.stderr)
    );

    server.signal("-HUP");
    server.wait_for("certificate reloaded");
    fs::write(dir.path().join("data/tls/cert.pem"), "nonsense").unwrap();
    server.signal("-HUP");
    server.wait_for("the old one stays");

    server.signal("-TERM");
    server.wait_for("stopped");
    assert!(server.0.wait().unwrap().success());
    assert!(!dir.path().join("data/admin.sock").exists());
}

#[test]
fn lost_keys_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let config = prepare(dir.path());
    let server = Running::start(&config);
    server.signal("-TERM");
    drop(server);
    fs::remove_dir_all(dir.path().join("data/keys")).unwrap();
    let refused = sabird(&["--config", &config]).output().unwrap();
    assert!(!refused.status.success());
    assert!(
        text(&refused.stderr).contains("restore the folder"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn config_commands_speak_json_too() {
    let json = |output: &Output, stream: &[u8]| -> serde_json::Value {
        serde_json::from_slice(stream).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let default = sabird(&["config", "default", "--json"]).output().unwrap();
    assert_eq!(json(&default, &default.stdout)["limits"]["connections"], 16_384);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    fs::write(&file, "domian = \"a.example\"\n").unwrap();
    let bad = sabird(&["config", "check", "--json", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(!bad.status.success() && bad.stdout.is_empty());
    assert!(
        json(&bad, &bad.stderr)["error"]
            .as_str()
            .unwrap()
            .contains("domain")
    );
    fs::write(&file, "domain = \"a.example\"\n").unwrap();
    let good = sabird(&["config", "check", "--json", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(json(&good, &good.stdout)["ok"], true);
}
