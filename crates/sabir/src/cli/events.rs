//! `sabir watch`, and events as people read them.

use std::path::Path;

use sabir_client::types::{Connection, Event};

use super::args::WatchArgs;
use super::connect;
use super::failure::Failure;
use super::out::{self, Out};
use crate::rpc::methods::{EVENTS_SUBSCRIBE, Subscribe, Subscribed, Told};
use crate::terminal;

/// Prints events until it is interrupted.
pub(super) async fn watch(path: &Path, args: WatchArgs, out: &Out) -> Result<(), Failure> {
    let mut agent = connect(path).await?;
    let params = Subscribe { after: args.after };
    let subscribed: Subscribed = agent.call(EVENTS_SUBSCRIBE, &params).await?;
    out.talk(&format!(
        "Watching from cursor {} on; Ctrl-C ends.",
        subscribed.cursor
    ));
    loop {
        let told: Told = tokio::select! {
            told = agent.next_event() => told?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        if out.json {
            out.object(&told.notice)?;
        } else if let Some(line) = describe(&told.notice.event) {
            out.line(&line)?;
        }
    }
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
        Event::RoomAdded { room } => format!(
            "new conversation: {}",
            terminal::one_line(&room.members.join(", "))
        ),
        Event::RoomChanged { room } => match &room.blocked {
            Some(blocked) => {
                format!(
                    "{}: {}",
                    terminal::one_line(&room.members.join(", ")),
                    terminal::one_line(blocked)
                )
            }
            None => return None,
        },
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
