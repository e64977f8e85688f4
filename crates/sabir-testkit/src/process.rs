//! Server processes: started with a log, waited for, measured, ended.

mod usage;

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::TownError;

pub(crate) use usage::Usage;

/// Lines of a log that are shown where a server does not start.
const LAST_WORDS: usize = 5;

/// A server's process. It ends with this value, by its own pid.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    pid: u32,
    /// None where somebody else ends it.
    child: Option<Child>,
    log: PathBuf,
}

impl Process {
    /// Starts a command; what it says is appended to `log`.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Result<Self, TownError> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(TownError::io(format!("opening {}", log.display())))?;
        let same = out.try_clone().map_err(TownError::io("opening a log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(same)
            .spawn()
            .map_err(TownError::io(format!("starting {name}: is it installed?")))?;
        Ok(Self {
            name: name.to_owned(),
            pid: child.id(),
            child: Some(child),
            log: log.to_owned(),
        })
    }

    /// A process that somebody else starts and ends, to be measured.
    pub(crate) fn of_others(name: &str, pid: u32) -> Self {
        Self {
            name: name.to_owned(),
            pid,
            child: None,
            log: PathBuf::new(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it listens.
    ///
    /// # Errors
    /// [`TownError::Wrong`] with the end of its log where it ended, or does not listen in time.
    pub(crate) fn wait_for(&mut self, address: SocketAddr, patience: Duration) -> Result<(), TownError> {
        let deadline = Instant::now() + patience;
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            let child = self.child.as_mut();
            let ended = child.is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_some()));
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let mut last: Vec<&str> = log.lines().rev().take(LAST_WORDS).collect();
                last.reverse();
                let why = format!("{} does not start: {last:?}", self.name);
                return Err(TownError::Wrong(why));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself; either way it is reaped.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn who_does_not_start_is_quoted() {
        let folder = tempfile::TempDir::new().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "of an earlier run\n").unwrap();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo the first of six; echo; echo; echo; echo no licence >&2; echo bye; exit 1",
        ]);
        let mut process = Process::start("a server", command, &log).unwrap();
        // Nobody listens on port 1 of this address.
        let address = ([127, 0, 0, 77], 1).into();
        let error = process.wait_for(address, Duration::from_secs(60)).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("a server does not start"), "{said}");
        assert!(said.contains("\"no licence\", \"bye\""), "in its order: {said}");
        assert!(!said.contains("first of six"), "the end alone: {said}");
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.starts_with("of an earlier run\nthe first of six\n"), "{log}");
    }
}
