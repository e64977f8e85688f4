//! Writing messages down with the agent, exactly once even when the agent dies meanwhile.
//!
//! An agent that dies between request and answer leaves open whether it took the message. The next one knows: it
//! owns the same profile, and what its predecessor did not write down will never be. So the newest messages are
//! read anew, and only a message that is not among them is sent again. Two commands that send the same text to
//! the same people in the same moment as the agent dies may be taken for one another.

use std::path::Path;
use std::time::Duration;

use sabir_client::types::{Message, MessageState, Outgoing};
use tokio::time::Instant;

use super::asks::{ATTEMPTS, Asks};
use super::failure::{Exit, Failure};
use crate::rpc::caller::CallError;
use crate::rpc::code::Code;
use crate::rpc::methods::{
    LogPage, MAX_WAIT_MS, MESSAGE_SEND, MESSAGE_STATUS, MessageSend, MessageStatus, ROOM_LOG, RoomLog,
};

/// Sends to one person or room.
#[derive(Debug)]
pub(super) struct Post {
    asks: Asks,
    to: String,
    /// The highest local id that was given out before the message at hand.
    latest: u64,
}

impl Post {
    /// Finds or starts the agent.
    pub(super) async fn open(profile: &Path, to: &str) -> Result<Self, Failure> {
        let asks = Asks::open(profile).await?;
        let mut post = Self {
            asks,
            to: to.to_owned(),
            latest: 0,
        };
        post.latest = post
            .newest()
            .await?
            .iter()
            .filter_map(|message| message.local_id)
            .max()
            .unwrap_or(0);
        Ok(post)
    }

    /// For other questions.
    pub(super) fn asks(&mut self) -> &mut Asks {
        &mut self.asks
    }

    /// Returns once the message is on disk.
    pub(super) async fn write_down(
        &mut self,
        text: &str,
        expires_s: Option<u32>,
    ) -> Result<Outgoing, Failure> {
        let params = MessageSend {
            to: self.to.clone(),
            text: text.to_owned(),
            expires_s,
        };
        for _ in 0..ATTEMPTS {
            let outcome = self.asks.ask_once::<_, Outgoing>(MESSAGE_SEND, &params).await;
            let sent = match outcome {
                Err(CallError::Gone) => {
                    self.asks.again().await?;
                    let newest = self.newest().await?;
                    let Some(taken) = newest.into_iter().rev().find(|message| self.is_it(message, text))
                    else {
                        continue;
                    };
                    outgoing(&taken)
                }
                Err(CallError::Refused(error)) if error.code == Code::Stopping.number() => {
                    self.asks.again().await?;
                    continue;
                }
                outcome => outcome?,
            };
            self.latest = self.latest.max(sent.local_id);
            return Ok(sent);
        }
        Err(CallError::Gone.into())
    }

    /// Waits until the message was accepted or failed, at most `patience`.
    pub(super) async fn settle(&mut self, sent: Outgoing, patience: Duration) -> Result<Outgoing, Failure> {
        settle(&mut self.asks, sent, patience).await
    }

    fn is_it(&self, message: &Message, text: &str) -> bool {
        message.own && message.text == text && message.local_id.is_some_and(|id| id > self.latest)
    }

    async fn newest(&mut self) -> Result<Vec<Message>, Failure> {
        let params = RoomLog {
            room: self.to.clone(),
            before: None,
            limit: Some(NEWEST),
        };
        match self.asks.ask::<_, LogPage>(ROOM_LOG, &params).await {
            Ok(page) => Ok(page.messages),
            // The first message to somebody makes the room.
            Err(failure) if failure.name == Code::RoomUnknown.name() => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }
}

/// Waits until what was sent was accepted or failed, at most `patience`.
pub(super) async fn settle(
    asks: &mut Asks,
    mut sent: Outgoing,
    patience: Duration,
) -> Result<Outgoing, Failure> {
    let until = Instant::now() + patience;
    while sent.state == MessageState::Queued {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let wait_ms = u64::try_from(left.as_millis())
            .unwrap_or(u64::MAX)
            .clamp(1, MAX_WAIT_MS);
        let params = MessageStatus {
            local_id: sent.local_id,
            wait_ms: Some(wait_ms),
        };
        sent = asks.ask(MESSAGE_STATUS, &params).await?;
    }
    Ok(sent)
}

/// What the timeline says of a message sent from here.
pub(super) fn outgoing(message: &Message) -> Outgoing {
    Outgoing {
        local_id: message.local_id.unwrap_or_default(),
        state: message.state,
        room: Some(message.room.clone()).filter(|room| !room.is_empty()),
        message_id: message.message_id.clone(),
        accepted_ms: (message.state == MessageState::Sent).then_some(message.timestamp_ms),
        problem: message.problem.clone(),
    }
}

/// The message will not be sent.
pub(super) fn failed(sent: &Outgoing) -> Failure {
    let why = sent.problem.as_deref().unwrap_or("no reason was given");
    Failure::new(
        Exit::Failed,
        "message_failed",
        format!("the message was not sent: {why}"),
    )
}

/// Messages wait for their provider.
pub(super) fn waiting(count: usize, problem: Option<&str>) -> Failure {
    let why = problem.map(|why| format!(": {why}")).unwrap_or_default();
    let message = match count {
        1 => format!("the message was not accepted yet{why}"),
        count => format!("{count} messages were not accepted yet{why}"),
    };
    Failure::new(Exit::Unreachable, "message_waits", message)
        .hint("what was typed is written down and goes out by itself as soon as the provider is reached")
        .hint("do not send it again; to see where it stands: sabir log ADDRESS")
}

/// Messages among which one is looked for.
const NEWEST: usize = 200;
