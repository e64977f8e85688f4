//! `sabir reply`, `react`, `edit`, `delete`, `read` and `settings`.

use std::path::Path;
use std::time::Duration;

use sabir_client::types::{MessageState, Outgoing, Room, Settings};
use serde::Serialize;

use super::args::{DeleteArgs, EditArgs, ReactArgs, ReadArgs, ReplyArgs, SettingsArgs, Wait};
use super::asks::Asks;
use super::failure::{Exit, Failure};
use super::out::Out;
use super::post::{self, settle};
use super::send;
use super::{address, history};
use crate::rpc::code::Code;
use crate::rpc::methods::{
    MESSAGE_DELETE, MESSAGE_EDIT, MESSAGE_REACT, MESSAGE_REPLY, MessageDelete, MessageEdit, MessageName,
    MessageReact, MessageReply, ROOM_READ, RoomRead, SETTINGS_SET, SettingsChange,
};

pub(super) async fn reply(path: &Path, args: ReplyArgs, out: &Out) -> Result<(), Failure> {
    let message = name(&args.message)?;
    let text = send::text(args.text)?;
    let params = MessageReply { message, text };
    ask(path, MESSAGE_REPLY, &params, &args.wait, out).await
}

pub(super) async fn react(path: &Path, args: ReactArgs, out: &Out) -> Result<(), Failure> {
    let params = MessageReact {
        message: name(&args.message)?,
        reaction: args.emoji,
        remove: args.remove,
    };
    ask(path, MESSAGE_REACT, &params, &args.wait, out).await
}

pub(super) async fn edit(path: &Path, args: EditArgs, out: &Out) -> Result<(), Failure> {
    let message = name(&args.message)?;
    let text = send::text(args.text)?;
    let params = MessageEdit { message, text };
    ask(path, MESSAGE_EDIT, &params, &args.wait, out).await
}

pub(super) async fn delete(path: &Path, args: DeleteArgs, out: &Out) -> Result<(), Failure> {
    let message = name(&args.message)?;
    ask(path, MESSAGE_DELETE, &MessageDelete { message }, &args.wait, out).await
}

pub(super) async fn read(path: &Path, args: ReadArgs, out: &Out) -> Result<(), Failure> {
    let params = RoomRead {
        room: address(&args.room)?.name(),
        until: args.until.as_deref().map(name).transpose()?,
    };
    let room: Room = Asks::open(path).await?.ask(ROOM_READ, &params).await?;
    if out.json {
        return Ok(out.object(&room)?);
    }
    Ok(out.line(&history::describe(&room))?)
}

pub(super) async fn settings(path: &Path, args: SettingsArgs, out: &Out) -> Result<(), Failure> {
    let change = SettingsChange {
        delivery_receipts: args.delivery_receipts.map(bool::from),
        read_receipts: args.read_receipts.map(bool::from),
        post_quantum: args.post_quantum.map(bool::from),
    };
    let settings: Settings = Asks::open(path).await?.ask(SETTINGS_SET, &change).await?;
    if out.json {
        return Ok(out.object(&settings)?);
    }
    let word = |on| if on { "on" } else { "off" };
    out.line(&format!(
        "delivery-receipts  {}",
        word(settings.delivery_receipts)
    ))?;
    out.line(&format!("read-receipts      {}", word(settings.read_receipts)))?;
    Ok(out.line(&format!("post-quantum       {}", word(settings.post_quantum)))?)
}

/// Asks once, since twice would be another thing, and waits until the room's order has it.
async fn ask<P: Serialize>(
    path: &Path,
    method: &str,
    params: &P,
    wait: &Wait,
    out: &Out,
) -> Result<(), Failure> {
    let mut asks = Asks::open(path).await?;
    let mut sent: Outgoing = asks.ask_once(method, params).await?;
    if !wait.queue {
        sent = settle(&mut asks, sent, Duration::from_secs(wait.wait.into())).await?;
    }
    if out.json {
        out.object(&sent)?;
    }
    match sent.state {
        MessageState::Failed => Err(post::failed(&sent)),
        MessageState::Queued if !wait.queue => Err(post::waiting(1, sent.problem.as_deref())),
        MessageState::Queued if !out.json => {
            out.talk("It is written down; the agent sends it.");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Reads which message is meant, so that a slip is told before anything happens.
pub(super) fn name(text: &str) -> Result<MessageName, Failure> {
    MessageName::parse(text).ok_or_else(|| {
        let message = "this names no message";
        Failure::new(Exit::Usage, Code::InvalidParams.name(), message)
            .hint("messages have the numbers that sabir log shows, as in #12")
    })
}
