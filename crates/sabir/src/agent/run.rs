//! The life of an agent: lock, open, listen, serve, stop.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::owner::Owner;
use super::{Agent, MAX_CONNECTIONS, connection};
use crate::profile::{Profile, ProfileError};
use crate::rpc::message::Failure;

/// Why an agent did not start, or ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// Another one has the profile, and keeps it.
    #[error("another agent owns this profile")]
    Owned,
    /// The folder cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The profile cannot be opened.
    #[error(transparent)]
    Open(#[from] Failure),
    /// The operating system refused a socket, a lock or a signal handler.
    #[error("the agent cannot start: {what}")]
    System {
        /// What was refused.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Runs the agent of `profile` until it is told to stop, by a signal, by `agent.stop`, or by `idle` time without
/// connection and without anything that waits to be sent. `ready` is called once the socket answers.
///
/// # Errors
/// [`RunError`].
pub(crate) async fn run(
    profile: Profile,
    idle: Option<Duration>,
    ready: impl FnOnce(&Path),
) -> Result<(), RunError> {
    let lock = own(&profile).await?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system("no handler for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("no handler for SIGINT"))?;
    let owner = Owner::open(&profile).await?;
    let (listener, socket) = listen(&profile)?;
    let agent = Arc::new(Agent {
        profile,
        owner,
        started: Instant::now(),
        connections: watch::Sender::new(0),
        stop: watch::Sender::new(false),
    });
    tracing::info!(pid = std::process::id(), "the agent runs");
    ready(&socket);

    let mut stopping = agent.stop.subscribe();
    let mut tasks = JoinSet::new();
    let idle = idle_for(&agent, idle);
    tokio::pin!(idle);
    let reason = loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => admit(&agent, stream, &mut tasks),
                Err(error) => {
                    // Out of file descriptors, most likely: those who are served will give some back.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            _ = stopping.wait_for(|stop| *stop) => break "agent.stop",
            () = &mut idle => break "nothing to do",
        }
    };
    tracing::info!(reason, "the agent stops");

    // Nobody finds the socket any more; who found it just now is cut off with the listener and starts the next
    // agent, which waits for our lock.
    if let Err(error) = std::fs::remove_file(agent.profile.socket_link()) {
        tracing::warn!(%error, "the socket cannot be removed");
    }
    let _ = std::fs::remove_file(&socket);
    drop(listener);
    agent.stop.send_replace(true);
    let served = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(PATIENCE, served).await.is_err() {
        tracing::warn!("connections that did not end were cut");
        tasks.abort_all();
    }
    agent.owner.shutdown().await;
    drop(lock);
    Ok(())
}

/// Takes the profile's lock. An agent that is on its way out still holds it for a moment.
async fn own(profile: &Profile) -> Result<File, RunError> {
    let mut lock = profile.agent_lock()?;
    let until = Instant::now() + PATIENCE * 2;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < until && !answered(profile).await => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(TryLockError::WouldBlock) => return Err(RunError::Owned),
            Err(TryLockError::Error(error)) => return Err(system("its lock cannot be taken")(error)),
        }
    }
    lock.set_len(0)
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .map_err(system("its lock cannot be written"))?;
    Ok(lock)
}

/// Whether the owner of the lock takes connections: then it is not on its way out.
async fn answered(profile: &Profile) -> bool {
    match profile.socket() {
        Ok(socket) => tokio::net::UnixStream::connect(socket).await.is_ok(),
        Err(_) => false,
    }
}

/// Makes the socket, in place of one that a dead agent left behind. It gets its name when it is private and
/// answers, never before.
fn listen(profile: &Profile) -> Result<(UnixListener, PathBuf), RunError> {
    let socket = profile.new_socket()?;
    let new = socket.with_extension("new");
    remove(&new)?;
    let listener = UnixListener::bind(&new).map_err(system("no socket"))?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))
        .map_err(system("no private socket"))?;
    std::fs::rename(&new, &socket).map_err(system("no name for the socket"))?;
    let link = profile.socket_link();
    if link != socket {
        let new = link.with_extension("new");
        remove(&new)?;
        std::os::unix::fs::symlink(&socket, &new).map_err(system("no link to the socket"))?;
        std::fs::rename(&new, &link).map_err(system("no link to the socket"))?;
    }
    Ok((listener, socket))
}

fn remove(path: &Path) -> Result<(), RunError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(system("an old socket cannot be removed")(error))
        }
        _ => Ok(()),
    }
}

/// Serves a new connection, where there is room for one.
fn admit(agent: &Arc<Agent>, stream: tokio::net::UnixStream, tasks: &mut JoinSet<()>) {
    // As many again may be told so at once; beyond that, silence.
    if tasks.len() >= MAX_CONNECTIONS * 2 {
        return;
    }
    if *agent.connections.borrow() >= MAX_CONNECTIONS {
        tasks.spawn(connection::turn_away(stream));
        return;
    }
    let counted = Counted::new(&agent.connections);
    let agent = Arc::clone(agent);
    tasks.spawn(async move {
        connection::serve(&agent, stream).await;
        drop(counted);
    });
}

/// One in a count for as long as it lives, however its task ends.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count = count.saturating_add(1));
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Ends when nobody was connected and nothing waited for `idle`; never without that option.
async fn idle_for(agent: &Agent, idle: Option<Duration>) {
    let Some(idle) = idle else {
        return std::future::pending().await;
    };
    let mut connections = agent.connections.subscribe();
    loop {
        if connections.wait_for(|count| *count == 0).await.is_err() {
            return std::future::pending().await;
        }
        tokio::select! {
            () = tokio::time::sleep(idle) => {
                if agent.owner.outstanding() == Some(0) && agent.owner.transfers() == 0 {
                    return;
                }
            }
            _ = connections.changed() => {}
        }
    }
}

fn system(what: &'static str) -> impl Fn(io::Error) -> RunError {
    move |source| RunError::System { what, source }
}

/// How long connections get to end by themselves; an agent that starts waits twice as long for its predecessor.
const PATIENCE: Duration = Duration::from_secs(5);
