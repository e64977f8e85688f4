//! `sabir room`: groups are made, changed and shown.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64;
use sabir_client::types::{
    MessageState, NewRoom, Outgoing, Person, Room, RoomDetails, Rules, Template, Wish,
};
use serde::Serialize;
use serde_json::json;

use super::args::{PolicyArgs, RoomCommand, Wait};
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::Out;
use super::post::settle;
use super::{address, history};
use crate::address::{self as whom, To};
use crate::rpc::code::Code;
use crate::rpc::methods::{
    ROOM_ADD, ROOM_BAN, ROOM_CREATE, ROOM_LEAVE, ROOM_REMOVE, ROOM_RENAME, ROOM_RESUME, ROOM_ROLE,
    ROOM_RULES, ROOM_SHOW, ROOM_UNBAN,
};
use crate::rpc::rooms::{RoomAsked, RoomCreate, RoomName, RoomPeople, RoomRename, RoomRole, RoomRules};
use crate::terminal;

/// Bytes of a file that are read as a policy's data; no policy may have so many.
const MAX_DATA: u64 = 1 << 20;

pub(super) async fn run(path: &Path, command: RoomCommand, out: &Out) -> Result<(), Failure> {
    match command {
        RoomCommand::Create {
            name,
            template,
            post_quantum,
            people,
            wait,
        } => {
            let people = persons(&people)?;
            let params = RoomCreate {
                name,
                template: known(template)?,
                post_quantum: post_quantum.map(bool::from),
                people,
            };
            create(path, params, &wait, out).await
        }
        RoomCommand::Policy(args) => policy(path, args, out).await,
        RoomCommand::Link(args) => super::links::link(path, args, out).await,
        RoomCommand::Join { link, wait } => super::links::join(path, link, &wait, out).await,
        RoomCommand::Template => templates(out),
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
pub(super) async fn change<P: Serialize>(
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

pub(super) async fn settled(
    asks: &mut Asks,
    asked: Vec<Outgoing>,
    wait: &Wait,
) -> Result<Vec<Outgoing>, Failure> {
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

pub(super) fn judge(asked: &[Outgoing], wait: &Wait, out: &Out) -> Result<(), Failure> {
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

/// With options the rules are changed; without, they are shown.
async fn policy(path: &Path, args: PolicyArgs, out: &Out) -> Result<(), Failure> {
    let room = address(&args.room)?.name();
    let rules = wanted(&args)?;
    if rules != Rules::default() {
        return change(path, ROOM_RULES, &RoomRules { room, rules }, &args.wait, out).await;
    }
    let details: RoomDetails = Asks::open(path).await?.ask(ROOM_SHOW, &RoomName { room }).await?;
    if out.json {
        return Ok(out.object(&json!({ "powers": details.powers, "rules": details.rules }))?);
    }
    for line in described(&details) {
        out.line(&line)?;
    }
    Ok(())
}

fn wanted(args: &PolicyArgs) -> Result<Rules, Failure> {
    let mut rules = Rules {
        receipts: args.receipts,
        delivery: args.delivery,
        max_people: args.max_people,
        max_devices: args.max_devices,
        several_devices: args.several_devices,
        expire_s: args.expire,
        ..Rules::default()
    };
    let Some(name) = &args.component else {
        return Ok(rules);
    };
    let usage = |message: String| Failure::new(Exit::Usage, Code::RulesMalformed.name(), message);
    let data = match &args.data {
        Some(file) => Some(component_data(file).map_err(|error| {
            usage(format!(
                "{}: {error}",
                terminal::one_line(&file.to_string_lossy())
            ))
        })?),
        None if args.remove => None,
        None => return Err(usage("a component needs --data FILE or --remove".to_owned())),
    };
    rules.components.insert(name.clone(), data);
    Ok(rules)
}

/// The file's content in base64; of one that is too large for any policy, so much that it is refused.
fn component_data(file: &Path) -> std::io::Result<String> {
    let mut data = Vec::new();
    std::fs::File::open(file)?.take(MAX_DATA).read_to_end(&mut data)?;
    Ok(BASE64.encode(&data))
}

fn templates(out: &Out) -> Result<(), Failure> {
    if out.json {
        let all = Template::ALL.iter();
        let all: Vec<_> = all
            .map(|template| json!({ "name": template.name(), "meaning": template.meaning() }))
            .collect();
        return Ok(out.object(&json!({ "templates": all }))?);
    }
    for template in Template::ALL {
        out.line(&format!("{:<12}  {}", template.name(), template.meaning()))?;
    }
    Ok(())
}

/// The template of that name, so that a slip is told before anything happens.
fn known(template: String) -> Result<String, Failure> {
    if Template::from_name(&template).is_some() {
        return Ok(template);
    }
    let message = format!("there is no template {}", terminal::one_line(&template));
    Err(Failure::new(Exit::Usage, Code::RulesMalformed.name(), message)
        .hint("to see which there are: sabir room template"))
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
    if details.post_quantum {
        lines.push("  post-quantum".to_owned());
    }
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
    lines.extend(described(details));
    for asked in &details.asked {
        lines.push(format!(
            "  waits for the room's provider: {}",
            terminal::one_line(&wish(&asked.wish))
        ));
    }
    lines
}

/// Who may do what, and the rules: `member: read, write, leave`.
fn described(details: &RoomDetails) -> Vec<String> {
    let powers = details.powers.iter().map(|power| {
        let may = if power.may.is_empty() {
            "nothing".to_owned()
        } else {
            // Some name several roles, with commas.
            power.may.join("; ")
        };
        format!(
            "  {} may: {}",
            terminal::one_line(&power.role),
            terminal::one_line(&may)
        )
    });
    let rules = details.rules.iter();
    let rules = rules.map(|rule| format!("  rule: {}", terminal::one_line(rule)));
    powers.chain(rules).collect()
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
        Wish::Rules { rules } => {
            let names: Vec<&str> = rules.components.keys().map(String::as_str).collect();
            format!("change the rules ({})", names.join(", "))
        }
        Wish::Link { link } => format!("make a join link for {}", link.role),
        Wish::Unlink { links } => format!("withdraw {} join links", links.len()),
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
