//! The side that asks: one connection to an agent, one request at a time.

use std::collections::VecDeque;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::code::Code;
use super::lines::{LineError, Lines};
use super::message::{ErrorObject, Failure};
use super::methods::{EVENT, MAX_ANSWER, SUBSCRIPTION_ENDED};
use crate::profile::our_uid;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The agent said so.
    #[error("{}", .0.message)]
    Refused(ErrorObject),
    /// The connection ended before the answer came: whether the request was carried out is not known.
    #[error("the agent went away before it answered")]
    Gone,
    /// The answer is none.
    #[error("the agent's answer cannot be understood")]
    Malformed,
    /// The socket belongs to another user.
    #[error("the socket is answered by another user")]
    NotOurs,
    /// Nobody answers.
    #[error("no agent answers")]
    NoAgent(#[source] std::io::Error),
}

/// A connection to an agent.
#[derive(Debug)]
pub(crate) struct Caller {
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    calls: u64,
    told: VecDeque<Value>,
}

impl Caller {
    /// Connects to the agent behind `socket`, which must be run by the same user.
    ///
    /// # Errors
    /// [`CallError::NoAgent`], [`CallError::NotOurs`].
    pub(crate) async fn connect(socket: &Path) -> Result<Self, CallError> {
        let stream = UnixStream::connect(socket).await.map_err(CallError::NoAgent)?;
        let peer = stream.peer_cred().map_err(CallError::NoAgent)?;
        if peer.uid() != our_uid() {
            return Err(CallError::NotOurs);
        }
        let (reader, writer) = stream.into_split();
        Ok(Self {
            lines: Lines::new(reader, MAX_ANSWER),
            writer,
            calls: 0,
            told: VecDeque::new(),
        })
    }

    /// Calls a method and waits for its result.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) async fn call<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
    ) -> Result<R, CallError> {
        self.calls = self.calls.saturating_add(1);
        let id = self.calls;
        let mut line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        line.push('\n');
        // An agent that has closed may have said why before: the answer is looked for even when writing failed.
        let _ = self.writer.write_all(line.as_bytes()).await;
        loop {
            let mut message = self.message().await?;
            if message.get("method").is_some() {
                self.told.push_back(message);
                continue;
            }
            let answered = message.get("id").cloned().unwrap_or(Value::Null);
            if let Some(error) = message.get_mut("error") {
                if answered == json!(id) || answered.is_null() {
                    let error = serde_json::from_value(error.take()).map_err(|_| CallError::Malformed)?;
                    return Err(CallError::Refused(error));
                }
            } else if answered == json!(id) {
                let result = message
                    .get_mut("result")
                    .map(Value::take)
                    .ok_or(CallError::Malformed)?;
                return serde_json::from_value(result).map_err(|_| CallError::Malformed);
            }
        }
    }

    /// The parameters of the next `event` notification. Cancel safe.
    ///
    /// # Errors
    /// [`CallError::Refused`] with `stopping` when the agent was stopped, [`CallError::Gone`] when it died,
    /// [`CallError::Malformed`].
    pub(crate) async fn next_event<R: DeserializeOwned>(&mut self) -> Result<R, CallError> {
        loop {
            let mut message = match self.told.pop_front() {
                Some(message) => message,
                None => self.message().await?,
            };
            match message.get("method").and_then(Value::as_str) {
                Some(EVENT) => {
                    let params = message
                        .get_mut("params")
                        .map(Value::take)
                        .ok_or(CallError::Malformed)?;
                    return serde_json::from_value(params).map_err(|_| CallError::Malformed);
                }
                Some(SUBSCRIPTION_ENDED) => {
                    let failure = Failure::new(Code::Stopping, "the agent was stopped");
                    return Err(CallError::Refused(failure.into()));
                }
                _ => {}
            }
        }
    }

    async fn message(&mut self) -> Result<Value, CallError> {
        match self.lines.next().await {
            Ok(Some(line)) => serde_json::from_str(&line).map_err(|_| CallError::Malformed),
            Ok(None) | Err(LineError::Io(_)) => Err(CallError::Gone),
            Err(LineError::TooLong(_) | LineError::NotText) => Err(CallError::Malformed),
        }
    }
}
