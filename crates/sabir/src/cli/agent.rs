//! `sabir agent`: run, status, stop.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::args::RunArgs;
use super::events;
use super::failure::{Exit, Failure};
use super::out::Out;
use crate::agent::run;
use crate::agent::start::{self, FirstWord};
use crate::profile::{Profile, ProfileError};
use crate::rpc::caller::{CallError, Caller};
use crate::rpc::methods::{AGENT_STATUS, AGENT_STOP, AgentStatus, Nothing, Stopping};
use crate::terminal;

/// Runs the agent in this process.
pub(super) async fn run(path: &Path, args: RunArgs, out: &Out) -> Result<(), Failure> {
    if !args.detached {
        return run_here(path, args.idle_exit, out).await;
    }
    // Fails only for the leader of a process group, which nobody who starts an agent makes of it.
    let _ = rustix::process::setsid();
    let outcome = run_here(path, args.idle_exit, &Out::new(true)).await;
    if let Err(failure) = &outcome {
        // Whoever started this process reads one line.
        let _ = out.object(&FirstWord::Refused {
            error: failure.into(),
        });
    }
    outcome
}

async fn run_here(path: &Path, idle_exit: Option<u32>, out: &Out) -> Result<(), Failure> {
    let profile = Profile::create(path)?;
    log();
    let idle = idle_exit.map(|seconds| Duration::from_secs(seconds.into()));
    let folder = profile.folder().to_owned();
    let ready = |socket: &Path| {
        let word = FirstWord::Ready {
            ready: true,
            pid: std::process::id(),
            socket: socket.display().to_string(),
        };
        if out.json {
            // An agent whose starter is gone serves the others all the same.
            let _ = out.object(&word);
        } else {
            out.talk(&format!(
                "The agent of {} runs; Ctrl-C stops it.",
                folder.display()
            ));
        }
    };
    Ok(run::run(profile, idle, ready).await?)
}

/// Logs go to stderr; the detached agent's is `agent.log`. `SABIR_LOG` sets the level, as in `sabir=debug`.
fn log() {
    let filter = std::env::var("SABIR_LOG")
        .ok()
        .and_then(|filter| tracing_subscriber::EnvFilter::try_new(filter).ok())
        .unwrap_or_else(|| tracing_subscriber::EnvFilter::new("warn,sabir=info,sabir_client=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(io::stderr)
        .try_init();
}

/// Shows the agent that runs. It is not started for this.
pub(super) async fn status(path: &Path, out: &Out) -> Result<(), Failure> {
    let Some((_, mut agent)) = running(path).await? else {
        return Err(
            Failure::new(Exit::Unreachable, "no_agent", "no agent runs for this profile")
                .hint("commands start it when they need it; in the foreground: sabir agent run"),
        );
    };
    let status: AgentStatus = agent.call(AGENT_STATUS, &Nothing {}).await?;
    if out.json {
        return Ok(out.object(&status)?);
    }
    out.line(&format!(
        "process      {} (sabir {}), for {} s",
        status.pid,
        status.version,
        status.uptime_ms / 1000
    ))?;
    out.line(&format!("profile      {}", terminal::one_line(&status.profile)))?;
    if let Some(account) = &status.account {
        out.line(&format!("account      {}", terminal::one_line(&account.address)))?;
    }
    if let Some(connection) = &status.connection {
        out.line(&format!("provider     {}", events::connection(*connection)))?;
    }
    out.line(&format!("connections  {}", status.connections))?;
    if let Some(outstanding) = status.outstanding {
        out.line(&format!("to be sent   {outstanding}"))?;
    }
    Ok(())
}

/// Stops the agent and waits until it has let go of the profile.
pub(super) async fn stop(path: &Path, out: &Out) -> Result<(), Failure> {
    let Some((profile, mut agent)) = running(path).await? else {
        if out.json {
            return Ok(out.object(&serde_json::json!({ "stopped": false }))?);
        }
        out.talk("No agent runs for this profile.");
        return Ok(());
    };
    let Stopping { pid, .. } = match agent.call(AGENT_STOP, &Nothing {}).await {
        Ok(stopping) => stopping,
        Err(CallError::Gone) => Stopping {
            stopping: true,
            pid: 0,
        },
        Err(error) => return Err(error.into()),
    };
    drop::<Caller>(agent);
    let lock = profile.agent_lock()?;
    let waiting = tokio::task::spawn_blocking(move || lock.lock());
    match tokio::time::timeout(STOP_PATIENCE, waiting).await {
        Ok(Ok(Ok(()))) => {}
        _ => {
            return Err(
                Failure::new(Exit::Failed, "agent_not_stopped", "the agent does not end")
                    .hint(format!("its process id is {pid}")),
            );
        }
    }
    if out.json {
        return Ok(out.object(&serde_json::json!({ "stopped": true, "pid": pid }))?);
    }
    out.talk("The agent has stopped.");
    Ok(())
}

/// The profile and its running agent; nothing where either is missing.
async fn running(path: &Path) -> Result<Option<(Profile, Caller)>, Failure> {
    let profile = match Profile::open(path) {
        Ok(profile) => profile,
        Err(ProfileError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(start::connect_running(&profile)
        .await?
        .map(|caller| (profile, caller)))
}

/// An agent lets its connections end (five seconds), then the client library.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
