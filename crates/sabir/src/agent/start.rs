//! A command finds the agent of a profile, or starts it.
//!
//! However many commands start at once, one agent comes of it: who finds none takes the start lock, looks again,
//! and only then starts one. The new process says on its standard output, in one line, that its socket answers or
//! why there will be none; nobody has to guess by polling.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::profile::{Profile, ProfileError};
use crate::rpc::caller::{CallError, Caller};
use crate::rpc::code::Code;
use crate::rpc::methods::{AGENT_STATUS, AgentStatus, Nothing};

/// Why there is no agent to speak to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The profile's folder.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The one that runs.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The new one said why.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The new one ended without a word.
    #[error("the agent ended while it was starting")]
    Ended,
    /// The new one, or whoever else is starting one, takes too long.
    #[error("the agent did not start within {} seconds", PATIENCE.as_secs())]
    Slow,
    /// The operating system.
    #[error("the agent cannot be started")]
    System(#[source] std::io::Error),
}

/// What a new agent says on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum FirstWord {
    /// It answers.
    Ready {
        /// True.
        ready: bool,
        /// Process id.
        pid: u32,
        /// Where its socket is.
        socket: String,
    },
    /// It will not.
    Refused {
        /// Why.
        error: Refusal,
    },
}

/// Why a new agent does not run, in the words it would have said on a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// Exit code.
    pub(crate) exit: u8,
    /// A stable name.
    pub(crate) name: String,
    /// A sentence for people.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hints: Vec<String>,
}

/// Connects to the agent of `profile`, which is started where none runs. One that dies in this very moment is
/// replaced too, but not for ever: it may be dying of something that its successor will meet as well.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn connect(profile: &Profile) -> Result<Caller, StartError> {
    for attempt in 1..ATTEMPTS {
        match connect_once(profile).await {
            Err(StartError::Ended | StartError::Call(CallError::Gone)) => {
                tokio::time::sleep(Duration::from_millis(20) * attempt).await;
            }
            outcome => return outcome,
        }
    }
    connect_once(profile).await
}

async fn connect_once(profile: &Profile) -> Result<Caller, StartError> {
    if let Some(caller) = connect_running(profile).await? {
        return Ok(caller);
    }
    let lock = profile.start_lock()?;
    let locking = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    let lock = match tokio::time::timeout(PATIENCE, locking).await {
        Ok(Ok(Ok(lock))) => lock,
        Ok(Ok(Err(error))) => return Err(StartError::System(error)),
        Ok(Err(_)) => return Err(StartError::Ended),
        Err(_) => return Err(StartError::Slow),
    };
    let caller = match connect_running(profile).await? {
        Some(caller) => caller,
        None => {
            start(profile).await?;
            connect_running(profile).await?.ok_or(StartError::Ended)?
        }
    };
    drop(lock);
    Ok(caller)
}

/// Connects to the agent of `profile` if one runs and goes on running.
///
/// # Errors
/// [`StartError`]; that nobody answers is none.
pub(crate) async fn connect_running(profile: &Profile) -> Result<Option<Caller>, StartError> {
    let socket = match profile.socket() {
        Ok(socket) => socket,
        Err(ProfileError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut caller = match Caller::connect(&socket).await {
        Ok(caller) => caller,
        Err(CallError::NoAgent(error)) if gone(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // One that is stopping accepts no more, or says so.
    let status = caller.call::<_, AgentStatus>(AGENT_STATUS, &Nothing {});
    match tokio::time::timeout(PATIENCE, status).await {
        Err(_) => Err(StartError::Slow),
        Ok(Ok(_)) => Ok(Some(caller)),
        Ok(Err(CallError::Gone)) => Ok(None),
        Ok(Err(CallError::Refused(error))) if error.code == Code::Stopping.number() => Ok(None),
        Ok(Err(error)) => Err(error.into()),
    }
}

fn gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
    matches!(
        error.kind(),
        NotFound | ConnectionRefused | ConnectionReset | BrokenPipe
    )
}

async fn start(profile: &Profile) -> Result<(), StartError> {
    let program = std::env::current_exe().map_err(StartError::System)?;
    let log = profile.log()?;
    let mut child = Command::new(program)
        .arg("--profile")
        .arg(profile.folder())
        .args(["agent", "run", "--detached"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(StartError::System)?;
    let output = child.stdout.take().ok_or(StartError::Ended)?;
    let reading = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(output.take(64 * 1024))
            .read_line(&mut line)
            .map(|_| line)
    });
    let line = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(Ok(line))) => line,
        Ok(_) => return Err(StartError::Ended),
        Err(_) => return Err(StartError::Slow),
    };
    match serde_json::from_str(&line) {
        Ok(FirstWord::Ready { .. }) => Ok(()),
        Ok(FirstWord::Refused { error }) => {
            let _ = child.wait();
            Err(StartError::Refused(error))
        }
        Err(_) => Err(StartError::Ended),
    }
}

/// How many agents may die before one is given up.
const ATTEMPTS: u32 = 8;
/// How long an agent gets to start or to answer.
const PATIENCE: Duration = Duration::from_secs(15);
