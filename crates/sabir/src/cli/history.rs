//! `sabir rooms` and `sabir log`.

use std::collections::VecDeque;
use std::path::Path;

use sabir_client::types::{Message, Room, RoomKind};

use super::address;
use super::args::LogArgs;
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::{self, Out};
use crate::address::To;
use crate::rpc::code::Code;
use crate::rpc::methods::{LogPage, MAX_PAGE, Nothing, ROOM_LOG, ROOMS_LIST, RoomList, RoomLog};
use crate::terminal;

/// Lists rooms, one object or some lines each.
pub(super) async fn rooms(path: &Path, out: &Out) -> Result<(), Failure> {
    let list: RoomList = Asks::open(path).await?.ask(ROOMS_LIST, &Nothing {}).await?;
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

/// `bob@b.example`, or of a group its name, otherwise its members.
pub(super) fn title(room: &Room) -> String {
    let who = room.with.clone().or_else(|| room.name.clone());
    let title = terminal::one_line(&who.unwrap_or_else(|| room.members.join(", ")));
    if title.trim().is_empty() {
        terminal::one_line(&room.room)
    } else {
        title
    }
}

/// Its title; below it the identifier, a group's members, and what is wrong with it.
pub(super) fn describe(room: &Room) -> String {
    let mut out = format!("{}\n  {}", title(room), terminal::one_line(&room.room));
    if room.kind == RoomKind::Group && room.name.is_some() {
        out.push_str(&format!("\n  {}", terminal::one_line(&room.members.join(", "))));
    }
    if let Some(next) = &room.goes_on_in {
        out.push_str(&format!(
            "\n  [this conversation goes on in {}]",
            terminal::one_line(next)
        ));
    }
    if room.unread > 0 {
        out.push_str(&format!("\n  {} unread", room.unread));
    }
    if let Some(blocked) = &room.blocked {
        out.push_str(&format!("\n  [{}]", terminal::one_line(blocked)));
    }
    if let Some(last) = &room.last {
        let said = match &last.marks.change {
            Some(change) => terminal::one_line(&change.sentence()),
            None => {
                let text: String = terminal::one_line(&last.text).chars().take(60).collect();
                format!("{}: {text}", terminal::one_line(&last.from))
            }
        };
        out.push_str(&format!("\n  {}  {said}", terminal::utc(last.timestamp_ms)));
    }
    out
}

/// Prints a conversation's messages, oldest first.
pub(super) async fn log(path: &Path, args: LogArgs, out: &Out) -> Result<(), Failure> {
    let to = address(&args.room)?;
    let mut agent = Asks::open(path).await?;
    let limit = if args.limit == 0 {
        usize::MAX
    } else {
        usize::try_from(args.limit).unwrap_or(usize::MAX)
    };
    let list: RoomList = agent.ask(ROOMS_LIST, &Nothing {}).await?;
    let rooms = belonging(&list.rooms, &to)?;
    if rooms.is_empty() {
        return Err(unknown(&to));
    }
    for message in newest(&mut agent, &rooms, limit).await? {
        if out.json {
            out.object(&message)?;
        } else {
            out.line(&out::message(&message))?;
        }
    }
    Ok(())
}

/// The rooms of a conversation. With a person there may be several direct ones: both may have opened one at once.
pub(super) fn belonging(rooms: &[Room], to: &To) -> Result<Vec<String>, Failure> {
    let name = to.name();
    let belongs = |room: &&Room| match to {
        To::Person(_) => room.kind == RoomKind::Direct && room.with.as_ref() == Some(&name),
        To::Room(_) => room.room == name,
        To::Name(_) => room.kind == RoomKind::Group && room.name.as_ref() == Some(&name),
    };
    let mut found: Vec<&Room> = rooms.iter().filter(belongs).collect();
    if let To::Name(_) = to {
        // A room that was left does not stand in the way of another of its name.
        if found.iter().any(|room| room.in_room) {
            found.retain(|room| room.in_room);
        }
        if found.len() > 1 {
            let rooms: Vec<&str> = found.iter().map(|room| room.room.as_str()).collect();
            let message = format!("several rooms are called so: {}", rooms.join(", "));
            return Err(Failure::new(Exit::Failed, Code::RoomAmbiguous.name(), message)
                .hint("name the one you mean by its identifier"));
        }
    }
    Ok(found.into_iter().map(|room| room.room.clone()).collect())
}

/// The same, with a group's name made its identifier: it may be called otherwise meanwhile.
pub(super) async fn identified(path: &Path, to: To) -> Result<To, Failure> {
    let To::Name(_) = &to else { return Ok(to) };
    let list: RoomList = Asks::open(path).await?.ask(ROOMS_LIST, &Nothing {}).await?;
    match belonging(&list.rooms, &to)?.first() {
        Some(room) => address(room),
        None => Err(unknown(&to)),
    }
}

/// There is no such conversation.
fn unknown(to: &To) -> Failure {
    let message = match to {
        To::Person(_) => format!("there is no conversation with {}", to.name()),
        To::Room(_) => "you are not in this room".to_owned(),
        To::Name(name) => format!("there is no room called {name}"),
    };
    Failure::new(Exit::Failed, Code::RoomUnknown.name(), message)
        .hint("to see which there are: sabir rooms; people are written like bob@b.example")
}

/// The newest `limit` messages of some rooms, oldest first.
pub(super) async fn newest(
    agent: &mut Asks,
    rooms: &[String],
    limit: usize,
) -> Result<Vec<Message>, Failure> {
    let mut timelines = Vec::new();
    for room in rooms {
        timelines.push(timeline(agent, room, limit).await?);
    }
    let mut messages = merge(timelines);
    let over = messages.len().saturating_sub(limit);
    messages.drain(..over);
    Ok(messages)
}

/// The newest `limit` messages of a room, oldest first, page by page.
async fn timeline(agent: &mut Asks, room: &str, limit: usize) -> Result<VecDeque<Message>, Failure> {
    let mut messages = VecDeque::new();
    let mut before = None;
    while messages.len() < limit {
        let most = limit.saturating_sub(messages.len()).min(MAX_PAGE);
        let params = RoomLog {
            room: room.to_owned(),
            before,
            limit: Some(most),
        };
        let page: LogPage = agent.ask(ROOM_LOG, &params).await?;
        before = page.before;
        for message in page.messages.into_iter().rev() {
            messages.push_front(message);
        }
        if before.is_none() {
            break;
        }
    }
    Ok(messages)
}

/// Several rooms' messages as one list: by time, but never against a room's own order, which is its hub's and not
/// a clock's.
fn merge(mut timelines: Vec<VecDeque<Message>>) -> Vec<Message> {
    let mut merged = Vec::new();
    loop {
        let first = timelines
            .iter_mut()
            .filter(|timeline| !timeline.is_empty())
            .min_by_key(|timeline| timeline.front().map(|message| message.timestamp_ms));
        match first.and_then(VecDeque::pop_front) {
            Some(message) => merged.push(message),
            None => return merged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sabir_client::types::MessageState;

    fn message(room: &str, position: u64, timestamp_ms: u64) -> Message {
        Message {
            room: room.to_owned(),
            id: 0,
            position,
            message_id: None,
            local_id: None,
            from: "bob@b.example".to_owned(),
            text: String::new(),
            timestamp_ms,
            state: MessageState::Received,
            own: false,
            verified: true,
            problem: None,
            marks: sabir_client::types::Marks::default(),
        }
    }

    #[test]
    fn rooms_are_merged_by_time_and_keep_their_own_order() {
        let a = VecDeque::from([message("a", 1, 10), message("a", 2, 5), message("a", 3, 30)]);
        let b = VecDeque::from([message("b", 1, 8), message("b", 2, 20)]);
        let merged = merge(vec![a, b, VecDeque::new()]);
        let order: Vec<_> = merged
            .iter()
            .map(|message| (message.room.as_str(), message.position))
            .collect();
        assert_eq!(order, [("b", 1), ("a", 1), ("a", 2), ("b", 2), ("a", 3)]);
    }
}
