//! `sabir rooms` and `sabir log`.

use std::path::Path;

use sabir_client::types::{Message, Room};

use super::args::LogArgs;
use super::failure::Failure;
use super::out::{self, Out};
use super::{connect, to};
use crate::rpc::caller::Caller;
use crate::rpc::methods::{LogPage, MAX_PAGE, Nothing, ROOM_LOG, ROOMS_LIST, RoomList, RoomLog};
use crate::terminal;

/// Lists rooms, one object or some lines each.
pub(super) async fn rooms(path: &Path, out: &Out) -> Result<(), Failure> {
    let list: RoomList = connect(path).await?.call(ROOMS_LIST, &Nothing {}).await?;
    if out.json {
        return Ok(out.object(&list)?);
    }
    if list.rooms.is_empty() {
        out.talk("There are no conversations yet.");
        out.talk("hint: begin one: sabir chat ADDRESS");
    }
    for room in &list.rooms {
        out.line(&describe(room))?;
    }
    Ok(())
}

/// `bob@b.example`, or for a group its members; below it the identifier, and what is wrong with it.
fn describe(room: &Room) -> String {
    let who = room.with.clone().unwrap_or_else(|| room.members.join(", "));
    let mut out = format!(
        "{}\n  {}",
        terminal::one_line(&who),
        terminal::one_line(&room.room)
    );
    if let Some(blocked) = &room.blocked {
        out.push_str(&format!("\n  [{}]", terminal::one_line(blocked)));
    }
    if let Some(last) = &room.last {
        let text: String = terminal::one_line(&last.text).chars().take(60).collect();
        out.push_str(&format!(
            "\n  {}  {}: {text}",
            terminal::utc(last.timestamp_ms),
            terminal::one_line(&last.from)
        ));
    }
    out
}

/// Prints a room's messages, oldest first.
pub(super) async fn log(path: &Path, args: LogArgs, out: &Out) -> Result<(), Failure> {
    to::check(&args.room)?;
    let mut agent = connect(path).await?;
    let limit = if args.limit == 0 {
        usize::MAX
    } else {
        usize::try_from(args.limit).unwrap_or(usize::MAX)
    };
    for message in newest(&mut agent, &args.room, limit).await? {
        if out.json {
            out.object(&message)?;
        } else {
            out.line(&out::message(&message))?;
        }
    }
    Ok(())
}

/// The newest `limit` messages of a room, oldest first, page by page.
pub(super) async fn newest(agent: &mut Caller, room: &str, limit: usize) -> Result<Vec<Message>, Failure> {
    // Newest page first, each in its own order: put together from the back.
    let mut pages: Vec<Vec<Message>> = Vec::new();
    let (mut left, mut before) = (limit, None);
    while left > 0 {
        let params = RoomLog {
            room: room.to_owned(),
            before,
            limit: Some(left.min(MAX_PAGE)),
        };
        let page: LogPage = agent.call(ROOM_LOG, &params).await?;
        left = left.saturating_sub(page.messages.len());
        before = page.before;
        pages.push(page.messages);
        if before.is_none() {
            break;
        }
    }
    Ok(pages.into_iter().rev().flatten().collect())
}
