use std::collections::BTreeMap;
use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::TownError;

/// A server's process and everything that it starts. It ends with this value.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    pid: u32,
    /// None where somebody else ends it.
    child: Option<Child>,
    said: PathBuf,
}

impl Process {
    /// Starts a command; what it says goes to `said`.
    pub(super) fn start(name: &str, mut command: Command, said: &Path) -> Result<Self, TownError> {
        let out = File::create(said).map_err(TownError::io(format!("creating {}", said.display())))?;
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
            said: said.to_owned(),
        })
    }

    /// A process that somebody else starts and ends, to be measured.
    pub(super) fn of_others(name: &str, pid: u32) -> Self {
        Self {
            name: name.to_owned(),
            pid,
            child: None,
            said: PathBuf::new(),
        }
    }

    /// Waits until it listens.
    pub(super) fn wait_for(&mut self, address: SocketAddr, patience: Duration) -> Result<(), TownError> {
        let deadline = Instant::now() + patience;
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            let child = self.child.as_mut();
            let ended = child.is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_some()));
            if ended || Instant::now() > deadline {
                let said = std::fs::read_to_string(&self.said).unwrap_or_default();
                let last: Vec<&str> = said.lines().rev().take(5).collect();
                return Err(TownError::Wrong(format!(
                    "{} does not start: {last:?}",
                    self.name
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
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

/// What processes and their descendants have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// User and system time, in seconds; of children that ended, too.
    pub(super) cpu_seconds: f64,
    /// Resident memory, in MiB.
    pub(super) resident_mib: f64,
}

impl Usage {
    pub(super) fn of(processes: &[Process]) -> Self {
        let all = table();
        let mut family: Vec<u32> = processes.iter().map(|process| process.pid).collect();
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            let children = all.iter().filter(|(_, row)| row.parent == parent);
            let new: Vec<u32> = children
                .map(|(pid, _)| *pid)
                .filter(|pid| !family.contains(pid))
                .collect();
            family.extend(new);
            next += 1;
        }
        let mut usage = Self::default();
        for row in family.iter().filter_map(|pid| all.get(pid)) {
            usage.cpu_seconds += row.seconds;
            usage.resident_mib += row.resident_mib;
        }
        usage
    }

    /// This very process.
    pub(super) fn of_this() -> Self {
        Self::of(&[Process::of_others("this", std::process::id())])
    }
}

struct Row {
    parent: u32,
    seconds: f64,
    resident_mib: f64,
}

fn table() -> BTreeMap<u32, Row> {
    let mut all = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return all;
    };
    for entry in entries.filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end while we look.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The name in parentheses may hold spaces. After it: state, parent, ..., and as 12th to 15th field user and
        // system time of its own and of its dead children, in hundredths of a second; the 22nd is resident pages.
        let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let fields: Vec<f64> = rest
            .split_whitespace()
            .skip(1)
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        let at = |index: usize| fields.get(index).copied().unwrap_or_default();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a process id is a small whole number"
        )]
        let row = Row {
            parent: at(0) as u32,
            seconds: (at(10) + at(11) + at(12) + at(13)) / 100.0,
            resident_mib: at(20) * 4096.0 / 1_048_576.0,
        };
        all.insert(pid, row);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_to_work() {
        let before = Usage::of_this();
        assert!(before.resident_mib > 1.0);
        let mut number = 1_u64;
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(300) {
            number = number.wrapping_mul(6_364_136_223_846_793_005).rotate_left(7);
        }
        let spent = Usage::of_this().cpu_seconds - before.cpu_seconds;
        assert!(spent > 0.0 && number != 0, "{spent}");
    }
}
