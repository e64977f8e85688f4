//! `sabir room link` and `sabir room join`.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sabir_client::types::{LinkWish, MadeLink, MessageState, Outgoing, RoomDetails, RoomLink};
use serde_json::json;

use super::args::{LinkRoomArgs, Wait};
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::Out;
use super::post::settle;
use super::room::{change, judge, settled};
use super::typed::line;
use super::{address, history};
use crate::rpc::code::Code;
use crate::rpc::methods::{ROOM_JOIN, ROOM_LINK, ROOM_LINKS, ROOM_SHOW, ROOM_UNLINK};
use crate::rpc::rooms::{RoomJoin, RoomLinkWish, RoomLinks, RoomName, RoomUnlink};
use crate::terminal;

pub(super) async fn link(path: &Path, args: LinkRoomArgs, out: &Out) -> Result<(), Failure> {
    let room = address(&args.room)?.name();
    if args.list {
        return list(path, room, out).await;
    }
    if !args.withdraw.is_empty() {
        let links = args.withdraw;
        return change(path, ROOM_UNLINK, &RoomUnlink { room, links }, &args.wait, out).await;
    }
    let link = LinkWish {
        role: args.role,
        lasts_s: args.lasts,
        uses: args.uses,
    };
    let mut asks = Asks::open(path).await?;
    // Asked twice it would be two links.
    let made: MadeLink = asks.ask_once(ROOM_LINK, &RoomLinkWish { room, link }).await?;
    let asked = settled(&mut asks, vec![made.asked], &args.wait).await?;
    let failed = asked.iter().any(|asked| asked.state == MessageState::Failed);
    if out.json {
        out.object(&json!({ "link": made.link, "asked": asked }))?;
    } else if !failed {
        out.line(made.link.link.as_deref().unwrap_or_default())?;
        out.talk(&format!(
            "Whoever has this link comes in. {}.",
            terms(&made.link, now_ms())
        ));
    }
    judge(&asked, &args.wait, out)
}

async fn list(path: &Path, room: String, out: &Out) -> Result<(), Failure> {
    let RoomLinks { links } = Asks::open(path)
        .await?
        .ask(ROOM_LINKS, &RoomName { room })
        .await?;
    if out.json {
        return Ok(out.object(&RoomLinks { links })?);
    }
    if links.is_empty() {
        out.talk("The room has no join links. To make one: sabir room link ROOM");
    }
    for link in &links {
        out.line(&format!("{}  {}", link.name, terms(link, now_ms())))?;
        if let Some(text) = &link.link {
            out.line(&format!("          {}", terminal::one_line(text)))?;
        }
    }
    Ok(())
}

pub(super) async fn join(path: &Path, link: String, wait: &Wait, out: &Out) -> Result<(), Failure> {
    // There it stands in no list of processes.
    let link = if link == "-" {
        line("the link").await?
    } else {
        link
    };
    let mut asks = Asks::open(path).await?;
    let mut asked: Outgoing = asks.ask(ROOM_JOIN, &RoomJoin { link }).await?;
    if !wait.queue {
        asked = settle(&mut asks, asked, Duration::from_secs(wait.wait.into())).await?;
    }
    let room = asked.room.clone().unwrap_or_default();
    if asked.state == MessageState::Failed {
        let why = asked.problem.as_deref().unwrap_or("no reason was given");
        let message = terminal::one_line(why);
        return Err(Failure::new(Exit::Failed, Code::NotAllowed.name(), message)
            .hint("ask whoever gave you the link for another one"));
    }
    if asked.state == MessageState::Sent {
        let details: RoomDetails = asks.ask(ROOM_SHOW, &RoomName { room }).await?;
        if out.json {
            return Ok(out.object(&json!({ "room": details, "asked": asked }))?);
        }
        out.line(&history::describe(&details.room))?;
        return Ok(());
    }
    if out.json {
        out.object(&json!({ "asked": asked.clone() }))?;
    }
    judge(&[asked], wait, out)
}

/// `as member, until 2026-11-29 10:00 UTC, for 1 person`
fn terms(link: &RoomLink, now: u64) -> String {
    let role = terminal::one_line(&link.role);
    let time = match link.until_ms {
        None => "without end".to_owned(),
        Some(_) if link.over => "over".to_owned(),
        Some(until) => format!("for {} more", left(until.saturating_sub(now))),
    };
    let people = match link.uses {
        0 => "for as many as like".to_owned(),
        1 => "for one person".to_owned(),
        uses => format!("for {uses} people"),
    };
    format!("As {role}, {time}, {people}")
}

/// A time in its largest unit, rounded up.
fn left(ms: u64) -> String {
    let minutes = ms.div_ceil(60_000);
    let (count, unit) = match minutes {
        0..=120 => (minutes, "minute"),
        121..=2_880 => (minutes.div_ceil(60), "hour"),
        _ => (minutes.div_ceil(1_440), "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_told_in_words() {
        let link = RoomLink {
            name: "0123abcd".to_owned(),
            role: "member".to_owned(),
            until_ms: Some(90_000_000),
            uses: 1,
            over: false,
            link: None,
        };
        assert_eq!(terms(&link, 0), "As member, for 25 hours more, for one person");
        let ended = RoomLink {
            over: true,
            uses: 0,
            ..link
        };
        assert_eq!(terms(&ended, 0), "As member, over, for as many as like");
        assert_eq!(
            (left(60_001), left(86_400_000 * 7)),
            ("2 minutes".to_owned(), "7 days".to_owned())
        );
    }
}
