use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::profile::run_json;
use crate::{Binaries, TownError};

/// How long a provider may take to answer.
const START: Duration = Duration::from_secs(30);

/// A provider on loopback: its data folder, its port, and its process while it runs.
#[derive(Debug)]
pub struct Provider {
    domain: String,
    folder: PathBuf,
    address: SocketAddr,
    binaries: Binaries,
    child: Option<Child>,
}

impl Provider {
    /// Prepares a provider; [`Provider::start`] runs it.
    pub(crate) fn new(domain: &str, folder: PathBuf, address: SocketAddr, binaries: Binaries) -> Self {
        Self {
            domain: domain.to_owned(),
            folder,
            address,
            binaries,
            child: None,
        }
    }

    /// Its domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it keeps on disk, its log included.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("sabird.toml")
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// [`TownError`] with the end of its log where it does not come up.
    pub fn start(&mut self) -> Result<(), TownError> {
        let log = self.folder.join("log");
        let log_file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(TownError::io("opening a log"))?;
        let child = Command::new(self.binaries.sabird())
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file)
            .spawn()
            .map_err(TownError::io("starting sabird"))?;
        self.child = Some(child);
        let deadline = Instant::now() + START;
        while TcpStream::connect_timeout(&self.address, Duration::from_millis(200)).is_err() {
            let ended = self
                .child
                .as_mut()
                .is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()));
            if ended || Instant::now() > deadline {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                let last: Vec<&str> = text.lines().rev().take(5).collect();
                return Err(TownError::Wrong(format!(
                    "{} does not start: {last:?}",
                    self.domain
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its resident memory, in KiB.
    ///
    /// # Errors
    /// [`TownError`] where it does not run.
    pub fn resident_kib(&self) -> Result<u64, TownError> {
        let status = proc_file(self.running()?, "status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap_or_default();
        let number = line
            .split_whitespace()
            .next()
            .and_then(|number| number.parse().ok());
        number.ok_or_else(|| TownError::Wrong("no VmRSS".to_owned()))
    }

    /// The CPU time it has used, in seconds.
    ///
    /// # Errors
    /// [`TownError`] where it does not run.
    pub fn cpu_seconds(&self) -> Result<f64, TownError> {
        cpu_seconds_of(self.running()?)
    }

    fn running(&self) -> Result<u32, TownError> {
        self.pid()
            .ok_or_else(|| TownError::Wrong(format!("{} does not run", self.domain)))
    }

    /// Kills it with SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way it is reaped.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Makes an invite link.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn invite(&self) -> Result<String, TownError> {
        let invite = self.admin(&["invite", "create", "--json"])?;
        let token = invite
            .get("token")
            .and_then(Value::as_str)
            .ok_or_else(|| TownError::NotJson {
                command: "sabird invite create --json".to_owned(),
                output: invite.to_string(),
            })?;
        Ok(format!(
            "https://{}/invite/{token}#connect={}",
            self.domain, self.address
        ))
    }

    /// Runs an admin command and reads its JSON.
    ///
    /// # Errors
    /// [`TownError`].
    pub fn admin(&self, arguments: &[&str]) -> Result<Value, TownError> {
        let mut command = Command::new(self.binaries.sabird());
        command.arg("--config").arg(self.config()).args(arguments);
        run_json(command, "")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The CPU time that a process has used, in seconds.
pub(crate) fn cpu_seconds_of(pid: u32) -> Result<f64, TownError> {
    let stat = proc_file(pid, "stat")?;
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field after it.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    // The kernel counts in hundredths of a second towards programs.
    Ok(ticks / 100.0)
}

fn proc_file(pid: u32, name: &str) -> Result<String, TownError> {
    std::fs::read_to_string(format!("/proc/{pid}/{name}"))
        .map_err(TownError::io(format!("reading /proc/{pid}/{name}")))
}

/// A loopback port that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr, TownError> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TownError::io("finding a free port"))?;
    listener
        .local_addr()
        .map_err(TownError::io("finding a free port"))
}
