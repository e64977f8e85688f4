use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::process::Process;
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
    process: Option<Process>,
}

impl Provider {
    /// Prepares a provider; [`Provider::start`] runs it.
    pub(crate) fn new(domain: &str, folder: PathBuf, address: SocketAddr, binaries: Binaries) -> Self {
        Self {
            domain: domain.to_owned(),
            folder,
            address,
            binaries,
            process: None,
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
        let mut command = Command::new(self.binaries.sabird());
        command.arg("--config").arg(self.config());
        let process = Process::start(&self.domain, command, &self.folder.join("log"))?;
        self.process.insert(process).wait_for(self.address, START)
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Kills it with SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
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

/// A loopback port that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr, TownError> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TownError::io("finding a free port"))?;
    listener
        .local_addr()
        .map_err(TownError::io("finding a free port"))
}
