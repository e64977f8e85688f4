//! `sabir room`: groups are made, changed and shown.

use std::path::Path;
use std::time::Duration;

use sabir_client::types::{MessageState, NewRoom, Outgoing, Person, Room, RoomDetails, Wish};
use serde::Serialize;
use serde_json::json;

use super::args::{RoomCommand, Wait};
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::Out;
use super::post::settle;
use super::{address, history};
use crate::address::{self as whom, To};
use crate::rpc::code::Code;
use crate::rpc::methods::{
    ROOM_ADD, ROOM_BAN, ROOM_CREATE, ROOM_LEAVE, ROOM_REMOVE, ROOM_RENAME, ROOM_RESUME, ROOM_ROLE, ROOM_SHOW,
    ROOM_UNBAN,
};
use crate::rpc::rooms::{RoomAsked, RoomCreate, RoomName, RoomPeople, RoomRename, RoomRole};
use crate::terminal;

pub(super) async fn run(path: &Path, command: RoomCommand, out: &Out) -> Result<(), Failure> {
    match command {
        RoomCommand::Create { name, people, wait } => {
            let people = persons(&people)?;
            create(path, RoomCreate { name, people }, &wait, out).await
        }
        RoomCommand::Add {
            room,
            people,
            role,
            wait,
        } => change(path, ROOM_ADD, &roles(&room, &people, role)?, &wait, out).await,
        RoomCommand::Unban {
            room,
            people,
            role,
            wait,
        } => change(path, ROOM_UNBAN, &roles(&room, &people, role)?, &wait, out).await,
        RoomCommand::Role {
            room,
            person,
            role,
            wait,
        } => change(path, ROOM_ROLE, &roles(&room, &[person], role)?, &wait, out).await,
        RoomCommand::Remove { room, people, wait } => {
            change(path, ROOM_REMOVE, &named(&room, &people)?, &wait, out).await
        }
        RoomCommand::Ban { room, people, wait } => {
            change(path, ROOM_BAN, &named(&room, &people)?, &wait, out).await
        }
        RoomCommand::Rename { room, name, wait } => {
            let room = address(&room)?.name();
            change(path, ROOM_RENAME, &RoomRename { room, name }, &wait, out).await
        }
        RoomCommand::Leave { room, wait } => {
            let room = address(&room)?.name();
            change(path, ROOM_LEAVE, &RoomName { room }, &wait, out).await
        }
        RoomCommand::Resume { room } => resume(path, &room, out).await,
        RoomCommand::Show { room } => show(path, &room, out).await,
    }
}

async fn create(path: &Path, params: RoomCreate, wait: &Wait, out: &Out) -> Result<(), Failure> {
    let mut asks = Asks::open(path).await?;
    // Asked twice it would be two rooms.
    let made: NewRoom = asks.ask_once(ROOM_CREATE, &params).await?;
    let asked = settled(&mut asks, made.asked, wait).await?;
    let details: RoomDetails = asks.ask(ROOM_SHOW, &RoomName { room: made.room.room }).await?;
    if out.json {
        out.object(&json!({ "room": details, "asked": asked }))?;
    } else {
        out.line(&history::describe(&details.room))?;
        tell_awaited(&details, out);
    }
    judge(&asked, wait, out)
}

/// Asks for a change and waits for the hub's word. Asked twice, it is done once: what is so already is done.
async fn change<P: Serialize>(
    path: &Path,
    method: &str,
    params: &P,
    wait: &Wait,
    out: &Out,
) -> Result<(), Failure> {
    let mut asks = Asks::open(path).await?;
    let RoomAsked { asked } = asks.ask(method, params).await?;
    let asked = settled(&mut asks, asked, wait).await?;
    if out.json {
        out.object(&RoomAsked { asked: asked.clone() })?;
    } else if let Some(room) = asked.iter().find_map(|asked| asked.room.clone()) {
        let details: RoomDetails = asks.ask(ROOM_SHOW, &RoomName { room }).await?;
        tell_awaited(&details, out);
    }
    judge(&asked, wait, out)
}

async fn settled(asks: &mut Asks, asked: Vec<Outgoing>, wait: &Wait) -> Result<Vec<Outgoing>, Failure> {
    if wait.queue {
        return Ok(asked);
    }
    let until = tokio::time::Instant::now() + Duration::from_secs(wait.wait.into());
    let mut all = Vec::with_capacity(asked.len());
    for asked in asked {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        all.push(settle(asks, asked, left).await?);
    }
    Ok(all)
}

fn judge(asked: &[Outgoing], wait: &Wait, out: &Out) -> Result<(), Failure> {
    let failed: Vec<&Outgoing> = asked
        .iter()
        .filter(|asked| asked.state == MessageState::Failed)
        .collect();
    if let Some(first) = failed.first() {
        let why = first.problem.as_deref().unwrap_or("no reason was given");
        let message = match failed.len() {
            1 => format!("it was not done: {why}"),
            several => format!("{several} of {} were not done: {why}", asked.len()),
        };
        return Err(Failure::new(Exit::Failed, "change_failed", message)
            .hint("to see how the room is now: sabir room show ROOM"));
    }
    let waits: Vec<&Outgoing> = asked
        .iter()
        .filter(|asked| asked.state == MessageState::Queued)
        .collect();
    let Some(first) = waits.first() else { return Ok(()) };
    if wait.queue {
        if !out.json {
            out.talk("It is written down; the agent does it.");
        }
        return Ok(());
    }
    let why = first.problem.as_deref().map(|why| format!(": {why}"));
    let message = format!(
        "the room's provider has not answered yet{}",
        why.unwrap_or_default()
    );
    Err(Failure::new(Exit::Unreachable, "change_waits", message)
        .hint("what was asked for is written down and is done as soon as the provider is reached")
        .hint("to see what waits: sabir room show ROOM"))
}

fn tell_awaited(details: &RoomDetails, out: &Out) {
    for person in details.people.iter().filter(|person| person.waits.is_some()) {
        let who = terminal::one_line(&person.address);
        out.talk(&format!(
            "{who} is on the list; the room waits for a device of {who}"
        ));
    }
}

async fn show(path: &Path, room: &str, out: &Out) -> Result<(), Failure> {
    let room = address(room)?.name();
    let details: RoomDetails = Asks::open(path).await?.ask(ROOM_SHOW, &RoomName { room }).await?;
    if out.json {
        return Ok(out.object(&details)?);
    }
    for line in describe(&details) {
        out.line(&line)?;
    }
    Ok(())
}

async fn resume(path: &Path, room: &str, out: &Out) -> Result<(), Failure> {
    let room = address(room)?.name();
    let room: Room = Asks::open(path)
        .await?
        .ask(ROOM_RESUME, &RoomName { room })
        .await?;
    if out.json {
        return Ok(out.object(&room)?);
    }
    out.line(&history::describe(&room))?;
    Ok(())
}

/// What `room show` prints, line by line.
pub(super) fn describe(details: &RoomDetails) -> Vec<String> {
    let room = &details.room;
    let mut lines = vec![
        history::title(room),
        format!("  {}", terminal::one_line(&room.room)),
        format!("  hub: {}", terminal::one_line(&room.hub)),
    ];
    if let Some(next) = &room.goes_on_in {
        lines.push(format!(
            "  [this conversation goes on in {}]",
            terminal::one_line(next)
        ));
    }
    if let Some(blocked) = &room.blocked {
        lines.push(format!("  [{}]", terminal::one_line(blocked)));
    }
    lines.extend(details.people.iter().map(person));
    for asked in &details.asked {
        lines.push(format!(
            "  waits for the room's provider: {}",
            terminal::one_line(&wish(&asked.wish))
        ));
    }
    lines
}

/// `bob@b.example  admin  2 devices`, and what is to be known of them.
fn person(person: &Person) -> String {
    let devices = match person.devices.len() {
        0 => "no device".to_owned(),
        1 => "1 device".to_owned(),
        several => format!("{several} devices"),
    };
    let address = terminal::one_line(&person.address);
    let mut notes = Vec::new();
    if person.own {
        notes.push("you".to_owned());
    }
    if !person.verified {
        notes.push("not verified".to_owned());
    }
    if person.left {
        notes.push("left; goes off the list with the next change of the room".to_owned());
    }
    if let Some(why) = &person.waits {
        notes.push(format!(
            "waits for a device of {address}: {}",
            terminal::one_line(why)
        ));
    }
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("  ({})", notes.join("; "))
    };
    format!(
        "  {address}  {}  {devices}{notes}",
        terminal::one_line(&person.role)
    )
}

fn wish(wish: &Wish) -> String {
    match wish {
        Wish::Add { person, role } => format!("add {person} as {role}"),
        Wish::Remove { person } => format!("remove {person}"),
        Wish::Ban { person } => format!("ban {person}"),
        Wish::Unban { person, role } => format!("unban {person} as {role}"),
        Wish::Role { person, role } => format!("make {person} {role}"),
        Wish::Rename { name } => format!("call the room \"{name}\""),
        Wish::Leave => "leave".to_owned(),
    }
}

fn named(room: &str, people: &[String]) -> Result<RoomPeople, Failure> {
    Ok(RoomPeople {
        room: address(room)?.name(),
        people: persons(people)?,
    })
}

fn roles(room: &str, people: &[String], role: String) -> Result<RoomRole, Failure> {
    Ok(RoomRole {
        room: address(room)?.name(),
        people: persons(people)?,
        role,
    })
}

/// Reads addresses, so that a slip is told before anything happens.
fn persons(texts: &[String]) -> Result<Vec<String>, Failure> {
    let read = texts.iter().map(|text| match address(text)? {
        To::Person(person) => Ok(person.to_address()),
        To::Room(_) | To::Name(_) => {
            let message = format!("this is no person's address: {text}");
            Err(Failure::new(Exit::Usage, Code::AddressMalformed.name(), message).hint(whom::HINT))
        }
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(state: MessageState) -> Outgoing {
        Outgoing {
            local_id: 1,
            state,
            room: None,
            message_id: None,
            accepted_ms: None,
            problem: Some("why".to_owned()),
        }
    }

    #[test]
    fn what_became_of_a_change_is_the_exit_code() {
        let out = Out::new(true);
        let waits = Wait {
            queue: false,
            wait: 1,
        };
        let queued = Wait { queue: true, wait: 1 };
        let table = [
            (&[][..], &waits, None),
            (&[MessageState::Sent][..], &waits, None),
            (
                &[MessageState::Sent, MessageState::Queued][..],
                &waits,
                Some(Exit::Unreachable),
            ),
            (&[MessageState::Queued][..], &queued, None),
            (
                &[MessageState::Queued, MessageState::Failed][..],
                &waits,
                Some(Exit::Failed),
            ),
        ];
        for (states, wait, exit) in table {
            let all: Vec<Outgoing> = states.iter().map(|state| asked(*state)).collect();
            let judged = judge(&all, wait, &out).err().map(|failure| failure.exit);
            assert_eq!(judged, exit, "{states:?}");
        }
    }

    #[test]
    fn people_are_named_by_address() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let read = persons(&texts(&["bob@B.example", "mimi://c.example/u/carol"]));
        assert_eq!(read, Ok(texts(&["bob@b.example", "carol@c.example"])));
        for slip in ["bob", "mimi://a.example/r/x", "bob@"] {
            let refused = persons(&texts(&[slip])).err().map(|failure| failure.exit);
            assert_eq!(refused, Some(Exit::Usage), "{slip}");
        }
    }
}
