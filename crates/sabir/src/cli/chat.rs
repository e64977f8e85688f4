//! `sabir chat`: line mode.
//!
//! Two connections to the agent: one to ask, one on which events arrive. Lines typed are sent in order, each once
//! the agent has written the one before down. The chat ends when there is no more input and everything that was
//! typed has been accepted. An agent that dies meanwhile is started again, and events continue behind the last
//! one seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sabir_client::types::{Connection, Event, Message, MessageState, Notice, Outgoing, Reaction, Room};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::args::ChatArgs;
use super::failure::{Exit, Failure};
use super::history::{self, belonging, newest};
use super::input::{Input, Typed};
use super::out::{self, Out};
use super::post::{self, Post};
use super::{address, events};
use crate::address::To;
use crate::rpc::caller::{CallError, Caller};
use crate::rpc::code::Code;
use crate::rpc::methods::{MESSAGE_STATUS, MessageStatus, Nothing, ROOMS_LIST, RoomList, Told};
use crate::terminal;

pub(super) async fn run(path: &Path, args: ChatArgs, out: &Out) -> Result<(), Failure> {
    let to = address(&args.to)?;
    let mut chat = Chat::open(path, to, *out).await?;
    let mut input =
        Input::open().map_err(|error| Failure::system("standard input cannot be read", &error))?;
    let history = args.history.unwrap_or(if input.is_terminal() { 10 } else { 0 });
    chat.show_history(history.into(), &input).await?;
    if input.is_terminal() && !out.json {
        out.talk(&format!(
            "You talk to {}; each line is a message, Ctrl-D ends.",
            terminal::one_line(&chat.name)
        ));
    }
    chat.talk(&mut input, Duration::from_secs(args.wait.into())).await
}

/// What of a message is printed anew when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    edited_ms: Option<u64>,
    deleted: bool,
    reactions: Vec<Reaction>,
}

impl Shown {
    fn of(message: &Message) -> Self {
        Self {
            edited_ms: message.marks.edited_ms,
            deleted: message.marks.deleted_by.is_some(),
            reactions: message.marks.reactions.clone(),
        }
    }
}

struct Chat {
    path: PathBuf,
    to: To,
    name: String,
    out: Out,
    post: Post,
    told: Caller,
    cursor: u64,
    /// Rooms that belong to this conversation: one, once it exists.
    rooms: BTreeSet<String>,
    /// What was typed here and not accepted yet, by local id.
    open: BTreeSet<u64>,
    /// Everything typed here, by local id: it stands on the screen already.
    typed: BTreeSet<u64>,
    /// What stands on the screen, by id, and how.
    shown: BTreeMap<u64, Shown>,
    /// How the provider was reached when it was last told; at first only a disturbance is told.
    connection: Connection,
    failed: Option<Failure>,
}

impl Chat {
    async fn open(path: &Path, to: To, out: Out) -> Result<Self, Failure> {
        let name = to.name();
        let to = history::identified(path, to).await?;
        let post = Post::open(path, &to.name()).await?;
        let (told, cursor) = events::subscribe(path, None).await?;
        let mut chat = Self {
            path: path.to_owned(),
            to,
            name,
            out,
            post,
            told,
            cursor,
            rooms: BTreeSet::new(),
            open: BTreeSet::new(),
            typed: BTreeSet::new(),
            shown: BTreeMap::new(),
            connection: Connection::Online,
            failed: None,
        };
        let list: RoomList = chat.post.asks().ask(ROOMS_LIST, &Nothing {}).await?;
        chat.rooms.extend(belonging(&list.rooms, &chat.to)?);
        match &chat.to {
            To::Room(_) if chat.rooms.is_empty() => {
                let failure =
                    Failure::new(Exit::Failed, Code::RoomUnknown.name(), "you are not in this room");
                Err(failure.hint("to see which there are: sabir rooms"))
            }
            _ => Ok(chat),
        }
    }

    fn learn(&mut self, room: &Room) -> Result<(), Failure> {
        self.rooms
            .extend(belonging(std::slice::from_ref(room), &self.to)?);
        Ok(())
    }

    async fn show_history(&mut self, count: usize, input: &Input) -> Result<(), Failure> {
        if count == 0 || self.rooms.is_empty() {
            return Ok(());
        }
        let rooms: Vec<String> = self.rooms.iter().cloned().collect();
        for message in newest(self.post.asks(), &rooms, count).await? {
            self.shown.insert(message.id, Shown::of(&message));
            if self.out.json {
                let notice = Notice {
                    cursor: self.cursor,
                    event: Event::MessageAdded { message },
                };
                input.print(&out::json(&notice)?)?;
            } else {
                input.print(&out::message(&message))?;
            }
        }
        Ok(())
    }

    /// Until there is no more to say.
    async fn talk(&mut self, input: &mut Input, patience: Duration) -> Result<(), Failure> {
        let handler = |kind| signal(kind).map_err(|error| Failure::system("no signal handler", &error));
        let mut interrupt = handler(SignalKind::interrupt())?;
        let mut terminate = handler(SignalKind::terminate())?;
        let mut resumed: Signal = handler(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
        let mut until: Option<Instant> = None;
        loop {
            if until.is_some() && self.open.is_empty() {
                return self.failed.take().map_or(Ok(()), Err);
            }
            let late = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                typed = input.next() => match typed? {
                    Typed::Line(line) => self.say(line, input).await?,
                    Typed::Unfit => self.fail(
                        Failure::new(Exit::Failed, "text_refused", "a line is too long, or is not UTF-8 text"),
                        input,
                    )?,
                    Typed::End => until = Some(Instant::now() + patience),
                },
                told = self.told.next_event::<Told>() => match told {
                    Ok(told) => self.hear(told.notice, input).await?,
                    Err(CallError::Gone) => self.follow().await?,
                    Err(error) => return Err(error.into()),
                },
                _ = interrupt.recv() => return self.leave(),
                _ = terminate.recv() => return self.leave(),
                _ = resumed.recv() => input.resume()?,
                () = late => return self.leave(),
            }
        }
    }

    /// Sends a line. A refusal is told and does not end the chat.
    async fn say(&mut self, line: String, input: &Input) -> Result<(), Failure> {
        if line.trim().is_empty() {
            return Ok(());
        }
        let sent = match self.post.write_down(&line, None).await {
            Ok(sent) => sent,
            Err(failure) if failure.exit == Exit::Failed => return self.fail(failure, input),
            Err(failure) => return Err(failure),
        };
        self.typed.insert(sent.local_id);
        self.open.insert(sent.local_id);
        self.settled(&sent, input)
    }

    async fn hear(&mut self, notice: Notice, input: &Input) -> Result<(), Failure> {
        self.cursor = notice.cursor;
        match &notice.event {
            Event::RoomAdded { room } | Event::RoomChanged { room } => self.learn(room)?,
            Event::Missed => self.look_again(input).await?,
            _ => {}
        }
        if self.out.json && self.concerns(&notice.event) {
            input.print(&out::json(&notice)?)?;
        }
        match notice.event {
            Event::MessageAdded { message } => {
                let here = self.here(&message);
                let typed_here = message.local_id.is_some_and(|id| self.typed.contains(&id));
                if here {
                    let before = self.shown.insert(message.id, Shown::of(&message));
                    if before.is_none() && !typed_here && !self.out.json {
                        input.print(&out::message(&message))?;
                    }
                }
                self.changed(&message, input)
            }
            Event::MessageChanged { message } => {
                // A receipt is no news, and neither is that a message of ours found its place.
                let now = Shown::of(&message);
                let was = self.shown.get_mut(&message.id);
                if was.is_some_and(|was| std::mem::replace(was, now.clone()) != now) && !self.out.json {
                    input.print(&out::message(&message))?;
                }
                self.changed(&message, input)
            }
            Event::Alarm { room, text } if self.is_alarming(&room) && !self.out.json => {
                Ok(input.print(&format!("attention: {}", terminal::one_line(&text)))?)
            }
            Event::Connection { state } if state != self.connection => {
                self.connection = state;
                if self.out.json || !input.is_terminal() {
                    return Ok(());
                }
                Ok(input.print(&format!("[provider: {}]", events::connection(state)))?)
            }
            _ => Ok(()),
        }
    }

    /// Whether an alarm concerns whoever is in this conversation: one of no room is about the provider.
    fn is_alarming(&self, room: &str) -> bool {
        room.is_empty() || self.rooms.contains(room)
    }

    /// Whether an event belongs to this conversation.
    fn concerns(&self, event: &Event) -> bool {
        match event {
            Event::MessageAdded { message } | Event::MessageChanged { message } => self.here(message),
            Event::RoomAdded { room } | Event::RoomChanged { room } => self.rooms.contains(&room.room),
            Event::Alarm { room, .. } => self.is_alarming(room),
            Event::Outgoing { outgoing } => outgoing
                .room
                .as_ref()
                .is_some_and(|room| self.rooms.contains(room)),
            Event::Connection { .. } | Event::Missed => true,
        }
    }

    fn here(&self, message: &Message) -> bool {
        self.rooms.contains(&message.room) || message.local_id.is_some_and(|id| self.typed.contains(&id))
    }

    fn changed(&mut self, message: &Message, input: &Input) -> Result<(), Failure> {
        let Some(local_id) = message.local_id else {
            return Ok(());
        };
        if !self.typed.contains(&local_id) {
            return Ok(());
        }
        self.settled(&post::outgoing(message), input)
    }

    /// Notes what became of a message typed here.
    fn settled(&mut self, sent: &Outgoing, input: &Input) -> Result<(), Failure> {
        if let Some(room) = sent.room.as_ref().filter(|room| !room.is_empty()) {
            self.rooms.insert(room.clone());
        }
        let decided = sent.state != MessageState::Queued && self.open.remove(&sent.local_id);
        if decided && sent.state == MessageState::Failed {
            return self.fail(post::failed(sent), input);
        }
        Ok(())
    }

    /// Tells a failure at once, and keeps the first for the end.
    fn fail(&mut self, failure: Failure, input: &Input) -> Result<(), Failure> {
        if !self.out.json && input.is_terminal() {
            input.print(&format!("[{}]", terminal::one_line(&failure.message)))?;
            for hint in &failure.hints {
                input.print(&format!("hint: {}", terminal::one_line(hint)))?;
            }
        }
        self.failed.get_or_insert(failure);
        Ok(())
    }

    /// Events were missed: asks what became of each message that is still open.
    async fn look_again(&mut self, input: &Input) -> Result<(), Failure> {
        for local_id in self.open.clone() {
            let params = MessageStatus {
                local_id,
                wait_ms: None,
            };
            let sent: Outgoing = self.post.asks().ask(MESSAGE_STATUS, &params).await?;
            self.settled(&sent, input)?;
        }
        Ok(())
    }

    /// The agent is gone: goes on behind the last event seen, with the next one.
    async fn follow(&mut self) -> Result<(), Failure> {
        let (told, _) = events::subscribe(&self.path, Some(self.cursor)).await?;
        self.told = told;
        Ok(())
    }

    /// Ends although messages may wait.
    fn leave(&mut self) -> Result<(), Failure> {
        match (self.failed.take(), self.open.len()) {
            (Some(failure), _) => Err(failure),
            (None, 0) => Ok(()),
            (None, open) => Err(post::waiting(open, None)),
        }
    }
}
