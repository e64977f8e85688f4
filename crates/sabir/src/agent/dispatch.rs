//! From a method's name to what it does.

use std::time::Duration;

use sabir_client::types::Wish;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Agent;
use super::owner::{Owner, Subscription};
use crate::rpc::code::Code;
use crate::rpc::devices::{
    Confirm, DEVICE_ADD, DEVICE_ADD_CONFIRM, DEVICE_ADD_NUMBER, DEVICE_LINK, DEVICE_LINK_CONFIRM,
    DEVICE_LINK_NUMBER, DEVICE_LIST, DEVICE_RENAME, DEVICE_REVOKE, DeviceName, Patience,
};
use crate::rpc::files::{FILE_SAVE, FILE_SEND, FILE_STATUS, FileStatus};
use crate::rpc::message::Failure;
use crate::rpc::methods::{self, *};
use crate::rpc::rooms::{RoomJoin, RoomName, RoomRename, RoomRules, RoomUnlink};

/// What the connection has to do.
pub(crate) enum Next {
    /// Answer.
    Answer(Result<Value, Failure>),
    /// Answer, then stop the agent.
    Stop(Result<Value, Failure>),
    /// Answer with the status of a message or transfer when it is known, at the latest after `wait`.
    Wait {
        /// What is waited for.
        of: Awaited,
        /// At most so long.
        wait: Duration,
    },
    /// Answer, then pass events on.
    Subscribe(Subscription),
}

/// What a request waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Awaited {
    /// A message, by its local id.
    Message(u64),
    /// A transfer.
    Transfer(u64),
}

impl Awaited {
    /// Waits for it.
    pub(crate) async fn outcome(self, owner: &Owner, wait: Duration) -> Result<Value, Failure> {
        match self {
            Self::Message(local_id) => result(owner.status(local_id, wait).await),
            Self::Transfer(transfer) => result(owner.transfer(transfer, wait).await),
        }
    }
}

/// Carries out a request.
pub(crate) async fn dispatch(agent: &Agent, method: &str, params: Map<String, Value>) -> Next {
    match carry_out(agent, method, params).await {
        Ok(next) => next,
        Err(failure) => Next::Answer(Err(failure)),
    }
}

/// A result as JSON.
pub(crate) fn result<T: Serialize>(outcome: Result<T, Failure>) -> Result<Value, Failure> {
    serde_json::to_value(outcome?).map_err(|_| Failure::new(Code::Internal, "the result cannot be written"))
}

async fn carry_out(agent: &Agent, method: &str, params: Map<String, Value>) -> Result<Next, Failure> {
    let owner = &agent.owner;
    let answer = match method {
        ACCOUNT_SHOW => {
            let Nothing {} = read(params)?;
            result(owner.account())
        }
        ACCOUNT_CREATE => result(owner.create(&agent.profile, read(params)?).await),
        ACCOUNT_RECOVER => result(owner.recover(&agent.profile, read(params)?).await),
        ACCOUNT_RECOVERY_CODE => {
            let AccountRecoveryCode { written_down, typed } = read(params)?;
            result(owner.recovery_code(written_down, typed.as_deref()).await)
        }
        DEVICE_LIST => {
            let Nothing {} = read(params)?;
            result(owner.devices().await)
        }
        DEVICE_LINK => result(owner.link(&agent.profile, read(params)?).await),
        DEVICE_LINK_NUMBER => {
            let Patience { wait_ms } = read(params)?;
            result(owner.link_number(patience(wait_ms)?).await)
        }
        DEVICE_LINK_CONFIRM => {
            let Confirm { number, wait_ms } = read(params)?;
            let wait = patience(wait_ms)?;
            result(owner.link_confirm(&agent.profile, &number, wait).await)
        }
        DEVICE_ADD => result(owner.add_device(read(params)?).await),
        DEVICE_ADD_NUMBER => {
            let Patience { wait_ms } = read(params)?;
            result(owner.add_number(patience(wait_ms)?).await)
        }
        DEVICE_ADD_CONFIRM => {
            let Confirm { number, .. } = read(params)?;
            result(owner.add_confirm(&number).await)
        }
        DEVICE_RENAME => result(owner.rename_device(read(params)?).await),
        DEVICE_REVOKE => {
            let DeviceName { device } = read(params)?;
            result(owner.revoke_device(&device).await)
        }
        ROOMS_LIST => {
            let Nothing {} = read(params)?;
            result(owner.rooms().await.map(|rooms| RoomList { rooms }))
        }
        ROOM_LOG => {
            let RoomLog { room, before, limit } = read(params)?;
            let limit = limit.unwrap_or(50);
            if !(1..=MAX_PAGE).contains(&limit) {
                return Err(Failure::new(
                    Code::InvalidParams,
                    format!("limit is not 1 to {MAX_PAGE}"),
                ));
            }
            result(owner.log(&room, before, limit).await)
        }
        MESSAGE_SEND => {
            let MessageSend { to, text, expires_s } = read(params)?;
            check_text(&text)?;
            result(owner.send(&to, &text, expires_s).await)
        }
        MESSAGE_STATUS => {
            let MessageStatus { local_id, wait_ms } = read(params)?;
            return Ok(Next::Wait {
                of: Awaited::Message(local_id),
                wait: patience(wait_ms)?,
            });
        }
        FILE_SEND => result(owner.send_file(read(params)?).await),
        FILE_SAVE => result(owner.save_file(read(params)?).await),
        FILE_STATUS => {
            let FileStatus { transfer, wait_ms } = read(params)?;
            return Ok(Next::Wait {
                of: Awaited::Transfer(transfer),
                wait: patience(wait_ms)?,
            });
        }
        MESSAGE_REPLY => {
            let MessageReply { message, text } = read(params)?;
            check_text(&text)?;
            result(owner.reply(&message.into_text(), &text).await)
        }
        MESSAGE_REACT => {
            let MessageReact {
                message,
                reaction,
                remove,
            } = read(params)?;
            result(owner.react(&message.into_text(), &reaction, remove).await)
        }
        MESSAGE_EDIT => {
            let MessageEdit { message, text } = read(params)?;
            check_text(&text)?;
            result(owner.edit(&message.into_text(), &text).await)
        }
        MESSAGE_DELETE => {
            let MessageDelete { message } = read(params)?;
            result(owner.delete(&message.into_text()).await)
        }
        MESSAGE_SHOW => {
            let MessageShow { message } = read(params)?;
            result(owner.show(&message.into_text()).await)
        }
        ROOM_READ => {
            let RoomRead { room, until } = read(params)?;
            let until = until.map(MessageName::into_text);
            result(owner.mark_read(&room, until.as_deref()).await)
        }
        SETTINGS_SHOW => {
            let Nothing {} = read(params)?;
            result(owner.settings(SettingsChange::default()).await)
        }
        SETTINGS_SET => result(owner.settings(read(params)?).await),
        ROOM_CREATE => result(owner.create_room(read(params)?).await),
        ROOM_SHOW => {
            let RoomName { room } = read(params)?;
            result(owner.show_room(&room).await)
        }
        ROOM_ADD => {
            let wish = |person, role| Wish::Add { person, role };
            result(owner.change_roles(read(params)?, wish).await)
        }
        ROOM_UNBAN => {
            let wish = |person, role| Wish::Unban { person, role };
            result(owner.change_roles(read(params)?, wish).await)
        }
        ROOM_ROLE => {
            let wish = |person, role| Wish::Role { person, role };
            result(owner.change_roles(read(params)?, wish).await)
        }
        ROOM_REMOVE => {
            let wish = |person| Wish::Remove { person };
            result(owner.change_people(read(params)?, wish).await)
        }
        ROOM_BAN => {
            let wish = |person| Wish::Ban { person };
            result(owner.change_people(read(params)?, wish).await)
        }
        ROOM_RENAME => {
            let RoomRename { room, name } = read(params)?;
            result(owner.change_room(&room, vec![Wish::Rename { name }]).await)
        }
        ROOM_RULES => {
            let RoomRules { room, rules } = read(params)?;
            result(owner.change_room(&room, vec![Wish::Rules { rules }]).await)
        }
        ROOM_LINK => result(owner.make_link(read(params)?).await),
        ROOM_LINKS => {
            let RoomName { room } = read(params)?;
            result(owner.links(&room).await)
        }
        ROOM_UNLINK => {
            let RoomUnlink { room, links } = read(params)?;
            result(owner.change_room(&room, vec![Wish::Unlink { links }]).await)
        }
        ROOM_JOIN => {
            let RoomJoin { link } = read(params)?;
            result(owner.join_room(&link).await)
        }
        ROOM_LEAVE => {
            let RoomName { room } = read(params)?;
            result(owner.change_room(&room, vec![Wish::Leave]).await)
        }
        ROOM_RESUME => {
            let RoomName { room } = read(params)?;
            result(owner.resume(&room).await)
        }
        EVENTS_SUBSCRIBE => {
            let Subscribe { after } = read(params)?;
            return owner.subscribe(after).map(Next::Subscribe);
        }
        AGENT_STATUS => {
            let Nothing {} = read(params)?;
            result(Ok(status(agent)))
        }
        AGENT_STOP => {
            let Nothing {} = read(params)?;
            return Ok(Next::Stop(result(Ok(Stopping {
                stopping: true,
                pid: std::process::id(),
            }))));
        }
        _ => {
            let failure = Failure::new(Code::MethodNotFound, "there is no such method");
            Err(failure.hint(format!("methods: {}", methods::ALL.join(", "))))
        }
    };
    Ok(Next::Answer(answer))
}

fn check_text(text: &str) -> Result<(), Failure> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(Failure::new(
            Code::TextRefused,
            format!("a text has 1 to {MAX_TEXT} bytes"),
        ));
    }
    Ok(())
}

fn patience(wait_ms: Option<u64>) -> Result<Duration, Failure> {
    let wait_ms = wait_ms.unwrap_or(0);
    if wait_ms > MAX_WAIT_MS {
        return Err(Failure::new(
            Code::InvalidParams,
            format!("wait_ms is over {MAX_WAIT_MS}"),
        ));
    }
    Ok(Duration::from_millis(wait_ms))
}

fn status(agent: &Agent) -> AgentStatus {
    let connections = *agent.connections.borrow();
    AgentStatus {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: agent.profile.folder().display().to_string(),
        uptime_ms: u64::try_from(agent.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        connections,
        connection: agent.owner.connection(),
        outstanding: agent.owner.outstanding(),
        account: agent.owner.account().ok(),
    }
}

/// Reads parameters, and says which one is wrong. The value is not repeated: it may be a secret.
fn read<T: DeserializeOwned>(params: Map<String, Value>) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(params)).map_err(|error| {
        let text = error.to_string();
        // serde names the field and the expected type after the value it found, which is in the first part.
        let safe = text.starts_with("missing field") || text.starts_with("unknown field");
        let message = if safe {
            text
        } else {
            "a parameter has the wrong type".to_owned()
        };
        Failure::new(Code::InvalidParams, message)
    })
}
