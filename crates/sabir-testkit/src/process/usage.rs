use std::collections::BTreeMap;

use crate::TownError;

/// What processes have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Resident memory, in MiB. What processes share is counted for each.
    pub(crate) resident_mib: f64,
}

impl Usage {
    /// Of these processes and all that descend from them, those that ended meanwhile included.
    ///
    /// # Errors
    /// [`TownError::Wrong`] where one of these has ended: what it used is not known any more.
    pub(crate) fn of(processes: &[u32]) -> Result<Self, TownError> {
        let all = table();
        let mut family = processes.to_vec();
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
        for pid in processes {
            if all.get(pid).is_none_or(|row| row.ended) {
                return Err(TownError::Wrong(format!("process {pid} has ended")));
            }
        }
        let mut usage = Self::default();
        for (pid, row) in family.iter().filter_map(|pid| all.get_key_value(pid)) {
            usage.cpu_seconds += row.own + row.of_dead_children;
            usage.resident_mib += resident_mib(*pid);
        }
        Ok(usage)
    }

    /// Of this process alone: not of servers that it started.
    ///
    /// # Errors
    /// [`TownError::Wrong`] where the system does not say.
    pub(crate) fn of_this() -> Result<Self, TownError> {
        let pid = std::process::id();
        let row = row(pid).ok_or_else(|| TownError::Wrong("/proc does not show this process".to_owned()))?;
        Ok(Self {
            cpu_seconds: row.own,
            resident_mib: resident_mib(pid),
        })
    }
}

/// What `/proc/PID/stat` says.
struct Row {
    ended: bool,
    parent: u32,
    /// Seconds of the process itself, and of its children that ended and were waited for.
    own: f64,
    of_dead_children: f64,
}

fn table() -> BTreeMap<u32, Row> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // A process may end while we look.
    pids.filter_map(|pid| Some((pid, row(pid)?))).collect()
}

fn row(pid: u32) -> Option<Row> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces. Behind it: state, parent, and as 12th to 15th field user and system
    // time, its own and that of its dead children. The kernel counts in hundredths of a second towards programs.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let seconds = |at: usize| Some(fields.get(at)?.parse::<f64>().ok()? / 100.0);
    Some(Row {
        ended: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        own: seconds(11)? + seconds(12)?,
        of_dead_children: seconds(13)? + seconds(14)?,
    })
}

fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    number.unwrap_or_default() / 1024.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(script: &str) -> std::process::Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command.spawn().unwrap()
    }

    #[test]
    fn a_server_and_its_children_count_and_not_for_who_started_it() {
        let before = Usage::of_this().unwrap();
        assert!(before.resident_mib > 1.0);
        // The shell waits; its child works.
        let mut server =
            shell("sh -c 'i=0; while [ $i -lt 20000000 ]; do i=$((i+1)); done' & trap 'kill $!' TERM; wait");
        let deadline = Instant::now() + Duration::from_secs(60);
        let used = loop {
            let used = Usage::of(&[server.id()]).unwrap();
            if used.cpu_seconds > 0.3 || Instant::now() > deadline {
                break used;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        let own = Usage::of_this().unwrap().cpu_seconds - before.cpu_seconds;
        let end = Command::new("kill").arg(server.id().to_string()).status();
        assert!(end.unwrap().success());
        server.wait().unwrap();
        assert!(used.cpu_seconds > 0.3 && used.resident_mib > 0.5, "{used:?}");
        assert!(own < used.cpu_seconds, "{own}");
    }

    #[test]
    fn own_work_is_seen() {
        let before = Usage::of_this().unwrap();
        let mut number = 1_u64;
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(300) {
            number = number.wrapping_mul(6_364_136_223_846_793_005).rotate_left(7);
        }
        let spent = Usage::of_this().unwrap().cpu_seconds - before.cpu_seconds;
        assert!(spent > 0.0 && number != 0, "{spent}");
    }

    #[test]
    fn who_has_ended_has_no_figures() {
        let mut server = shell("exit 0");
        let deadline = Instant::now() + Duration::from_secs(60);
        // It stays in the table until it is waited for.
        while Usage::of(&[server.id()]).is_ok() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(Usage::of(&[server.id()]).is_err());
        server.wait().unwrap();
        assert!(Usage::of(&[server.id()]).is_err());
    }
}
