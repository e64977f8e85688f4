//! A profile in a folder that goes away, and its agent with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A profile's folder. Whatever agent runs when it is dropped is stopped.
pub struct Profile {
    _base: tempfile::TempDir,
    pub folder: PathBuf,
}

impl Profile {
    pub fn new() -> Self {
        Self::named("profile")
    }

    pub fn named(name: &str) -> Self {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        Self { _base: base, folder }
    }

    /// `sabir` on this profile, not yet run.
    pub fn sabir(&self, args: &[&str]) -> Command {
        let mut command = sabir();
        command.arg("--profile").arg(&self.folder).args(args);
        command
    }

    /// Runs `sabir` to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.sabir(args).output().unwrap())
    }

    /// Starts the agent the way commands do, and returns its process id.
    pub fn start(&self) -> Pid {
        assert_eq!(self.run(&["account", "show"]).code, 1, "no account");
        self.pid()
    }

    /// The process id of the agent that runs.
    pub fn pid(&self) -> Pid {
        let status = self.run(&["agent", "status", "--json"]);
        assert_eq!(status.code, 0, "{}", status.stderr);
        let pid = status.object()["pid"].as_i64().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }

    /// Connects to the socket.
    pub fn connect(&self) -> Peer {
        let socket = std::fs::canonicalize(self.folder.join("agent.sock")).unwrap();
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Peer {
            reader: BufReader::new(stream.try_clone().unwrap()),
            stream,
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("agent.log")).unwrap_or_default()
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = self.sabir(&["agent", "stop"]).output();
    }
}

/// `sabir` without a profile of the machine's.
pub fn sabir() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sabir"));
    command.stdin(Stdio::null()).env_remove("SABIR_LOG");
    command
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn object(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no object: {self:?}"))
    }

    /// The error that `--json` writes on stderr.
    pub fn error(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str::<Value>(last).unwrap_or_else(|_| panic!("no object: {self:?}"))["error"].take()
    }

    pub fn hints(&self) -> Vec<&str> {
        self.stderr
            .lines()
            .filter_map(|line| line.strip_prefix("hint: "))
            .collect()
    }
}

/// A bare connection.
pub struct Peer {
    reader: BufReader<UnixStream>,
    pub stream: UnixStream,
}

impl Peer {
    pub fn put(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next line, or nothing when the agent has closed.
    pub fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let line = json!({"jsonrpc": "2.0", "id": "t", "method": method, "params": params});
        self.put(format!("{line}\n").as_bytes());
        self.line().unwrap()
    }

    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
        rest
    }
}

pub fn kill(pid: Pid, signal: Signal) {
    kill_process(pid, signal).unwrap();
}

/// Waits until the process is gone or a zombie.
pub fn gone(pid: Pid) {
    eventually("the process ends", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.map_or(true, |stat| {
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
        })
    });
}

pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !check() {
        assert!(Instant::now() < until, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).unwrap().mode() & 0o777
}
