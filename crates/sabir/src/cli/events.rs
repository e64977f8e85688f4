//! `sabir watch`, and events as people read them.

use std::path::Path;

use sabir_client::types::{Connection, Event, MessageState};

use super::args::WatchArgs;
use super::asks::Asks;
use super::failure::Failure;
use super::history;
use super::out::{self, Out};
use crate::rpc::caller::{CallError, Caller};
use crate::rpc::methods::{EVENTS_SUBSCRIBE, Subscribe, Subscribed, Told};
use crate::terminal;

/// Prints events until it is interrupted.
pub(super) async fn watch(path: &Path, args: WatchArgs, out: &Out) -> Result<(), Failure> {
    let (mut agent, mut cursor) = subscribe(path, args.after).await?;
    out.talk(&format!("Watching from cursor {} on; Ctrl-C ends.", cursor));
    loop {
        let told: Told = tokio::select! {
            told = agent.next_event::<Told>() => match told {
                // It died; the next one goes on behind the last event.
                Err(CallError::Gone) => {
                    (agent, _) = subscribe(path, Some(cursor)).await?;
                    continue;
                }
                told => told?,
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        cursor = told.notice.cursor;
        if out.json {
            out.object(&told.notice)?;
        } else if let Some(line) = describe(&told.notice.event) {
            out.line(&line)?;
        }
    }
}

/// A connection of its own on which events arrive, and where they begin.
pub(super) async fn subscribe(path: &Path, after: Option<u64>) -> Result<(Caller, u64), Failure> {
    let mut asks = Asks::open(path).await?;
    let subscribed: Subscribed = asks.ask(EVENTS_SUBSCRIBE, &Subscribe { after }).await?;
    Ok((asks.into_caller(), subscribed.cursor))
}

/// An event as people read it; nothing for what they need not see.
pub(super) fn describe(event: &Event) -> Option<String> {
    Some(match event {
        Event::MessageAdded { message } | Event::MessageChanged { message } => {
            let room = terminal::one_line(&message.room);
            format!(
                "{}\n  in {}",
                out::message(message),
                if room.is_empty() {
                    "a new conversation"
                } else {
                    &room
                }
            )
        }
        Event::Outgoing { outgoing } => match &outgoing.problem {
            Some(problem) if outgoing.state == MessageState::Failed => {
                format!("attention: {}", terminal::one_line(problem))
            }
            _ => return None,
        },
        Event::RoomAdded { room } => format!("new conversation: {}", history::title(room)),
        Event::RoomChanged { room } => match &room.blocked {
            Some(blocked) => {
                format!("{}: {}", history::title(room), terminal::one_line(blocked))
            }
            None => return None,
        },
        Event::Alarm { room, text } if room.is_empty() => format!("attention: {}", terminal::one_line(text)),
        Event::Alarm { room, text } => {
            format!(
                "attention: {}\n  in {}",
                terminal::one_line(text),
                terminal::one_line(room)
            )
        }
        Event::Connection { state } => format!("provider: {}", connection(*state)),
        Event::Missed => "some events are no longer kept; sabir log has every message".to_owned(),
    })
}

/// What follows on "the provider: ".
pub(super) fn connection(state: Connection) -> &'static str {
    match state {
        Connection::Offline => "not connected",
        Connection::Connecting => "connecting",
        Connection::Online => "connected",
        Connection::Refused => "no longer takes this device",
    }
}
