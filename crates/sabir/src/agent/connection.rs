//! One peer on the socket.
//!
//! Requests are carried out in the order they come, and each is answered before the next begins; only a
//! `message.status` that waits runs beside the others. Subscriptions write into the same bounded queue: when the
//! peer does not read, they wait, and a peer that has not read for [`WRITE_PATIENCE`] is cut off. It loses
//! nothing, since it can subscribe again after the last cursor it saw.

use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::Agent;
use super::dispatch::{self, Next};
use super::owner::Subscription;
use crate::profile::our_uid;
use crate::rpc::code::Code;
use crate::rpc::lines::{LineError, Lines};
use crate::rpc::message::{Failure, Request, answer, notification};
use crate::rpc::methods::{EVENT, MAX_REQUEST, SUBSCRIPTION_ENDED, Told};

/// Serves a peer until it goes, misbehaves, or the agent stops.
pub(crate) async fn serve(agent: &Agent, stream: UnixStream) {
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == our_uid() => {}
        _ => {
            tracing::warn!("a connection of another user was refused");
            return;
        }
    }
    let (reader, writer) = stream.into_split();
    let (queue, lines) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(write(writer, lines));
    let mut peer = Peer {
        queue,
        waiting: JoinSet::new(),
        subscriptions: JoinSet::new(),
        subscribed: 0,
    };
    let mut reader = Lines::new(reader, MAX_REQUEST);
    let mut stop = agent.stop.subscribe();
    loop {
        tokio::select! {
            line = reader.next() => {
                let alive = match line {
                    Ok(Some(line)) => peer.take(agent, &line).await,
                    Ok(None) | Err(LineError::Io(_)) => false,
                    Err(error @ (LineError::TooLong(_) | LineError::NotText)) => {
                        let failure = Failure::new(Code::InvalidRequest, error.to_string());
                        peer.put(answer(&Value::Null, Err(failure))).await;
                        false
                    }
                };
                if !alive {
                    break;
                }
            }
            () = peer.queue.closed() => break,
            Some(_) = peer.waiting.join_next(), if !peer.waiting.is_empty() => {}
            () = stopped(&mut stop) => {
                peer.refuse_the_rest(&mut reader).await;
                break;
            }
        }
    }
    // Who closed its own side only still gets the answers it waits for; events end here, where the agent does
    // not: then each subscription says so itself.
    if !*stop.borrow() {
        peer.subscriptions.abort_all();
    }
    let queue = peer.queue.clone();
    tokio::select! {
        () = async {
            while peer.waiting.join_next().await.is_some() {}
            while peer.subscriptions.join_next().await.is_some() {}
        } => {}
        () = queue.closed() => {}
    }
    drop(queue);
    drop(peer);
    let _ = writing.await;
}

/// Tells a peer for which there is no room that there is none.
pub(crate) async fn turn_away(mut stream: UnixStream) {
    let failure =
        Failure::new(Code::Busy, "the agent has too many connections").hint("try again in a moment");
    let mut line = answer(&Value::Null, Err(failure));
    line.push('\n');
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(line.as_bytes())).await;
}

/// What belongs to one peer.
struct Peer {
    queue: mpsc::Sender<String>,
    waiting: JoinSet<()>,
    subscriptions: JoinSet<()>,
    subscribed: u64,
}

impl Peer {
    /// Carries out one line. False when the peer is gone.
    async fn take(&mut self, agent: &Agent, line: &str) -> bool {
        if line.trim().is_empty() {
            return true;
        }
        let request = match Request::parse(line) {
            Ok(request) => request,
            Err((id, failure)) => return self.put(answer(&id, Err(failure))).await,
        };
        tracing::debug!(method = %request.method.escape_debug(), "request");
        let id = request.id;
        match dispatch::dispatch(agent, &request.method, request.params).await {
            Next::Answer(outcome) => self.reply(id, outcome).await,
            Next::Stop(outcome) => {
                let alive = self.reply(id, outcome).await;
                agent.stop.send_replace(true);
                alive
            }
            Next::Wait { of, wait } => self.wait(agent, id, of, wait).await,
            Next::Subscribe(subscription) => self.subscribe(agent, id, subscription).await,
        }
    }

    /// Answers when the fate of what is waited for is known or the time is over; requests go on meanwhile.
    async fn wait(
        &mut self,
        agent: &Agent,
        id: Option<Value>,
        of: dispatch::Awaited,
        wait: Duration,
    ) -> bool {
        let Some(id) = id else { return true };
        if self.waiting.len() >= MAX_WAITING {
            let failure = Failure::new(Code::Busy, "too many calls wait on this connection");
            return self.put(answer(&id, Err(failure))).await;
        }
        let (owner, queue, mut stop) = (agent.owner.clone(), self.queue.clone(), agent.stop.subscribe());
        self.waiting.spawn(async move {
            let outcome = tokio::select! {
                outcome = of.outcome(&owner, wait) => outcome,
                () = stopped(&mut stop) => Err(stopping()),
            };
            let _ = queue.send(answer(&id, outcome)).await;
        });
        true
    }

    /// Answers, and passes events on from then.
    async fn subscribe(&mut self, agent: &Agent, id: Option<Value>, mut subscription: Subscription) -> bool {
        // Without an answer the peer would not know which events are whose.
        let Some(id) = id else { return true };
        while self.subscriptions.try_join_next().is_some() {}
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            let failure = Failure::new(Code::Busy, "too many subscriptions on this connection");
            return self.put(answer(&id, Err(failure))).await;
        }
        self.subscribed = self.subscribed.saturating_add(1);
        let number = self.subscribed;
        let subscribed = subscription.subscribed(number);
        if !self.put(answer(&id, dispatch::result(Ok(subscribed)))).await {
            return false;
        }
        let (queue, mut stop) = (self.queue.clone(), agent.stop.subscribe());
        self.subscriptions.spawn(async move {
            loop {
                let notice = tokio::select! {
                    notice = subscription.next() => notice,
                    () = stopped(&mut stop) => None,
                };
                let Some(notice) = notice else {
                    let params = serde_json::json!({ "subscription": number });
                    let _ = queue.send(notification(SUBSCRIPTION_ENDED, &params)).await;
                    return;
                };
                let told = Told {
                    subscription: number,
                    notice,
                };
                let Ok(params) = serde_json::to_value(&told) else {
                    return;
                };
                if queue.send(notification(EVENT, &params)).await.is_err() {
                    return;
                }
            }
        });
        true
    }

    /// Says of everything that is asked from now on that nothing of it is done.
    async fn refuse_the_rest<R: tokio::io::AsyncRead + Unpin>(&self, reader: &mut Lines<R>) {
        while let Ok(Ok(Some(line))) = tokio::time::timeout(LAST_CALL, reader.next()).await {
            let id = match Request::parse(&line) {
                Ok(Request { id: Some(id), .. }) => id,
                _ => continue,
            };
            if !self.put(answer(&id, Err(stopping()))).await {
                return;
            }
        }
    }

    async fn reply(&self, id: Option<Value>, outcome: Result<Value, Failure>) -> bool {
        match id {
            Some(id) => self.put(answer(&id, outcome)).await,
            None => true,
        }
    }

    async fn put(&self, line: String) -> bool {
        self.queue.send(line).await.is_ok()
    }
}

fn stopping() -> Failure {
    Failure::new(Code::Stopping, "the agent is stopping")
}

/// Ends when the agent stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Writes lines until there are no more, or the peer no longer reads.
async fn write(mut writer: OwnedWriteHalf, mut lines: mpsc::Receiver<String>) {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        match tokio::time::timeout(WRITE_PATIENCE, writer.write_all(line.as_bytes())).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                tracing::info!("a connection that does not read was cut");
                return;
            }
        }
    }
}

/// Lines that wait for the peer to read.
const QUEUE: usize = 64;
/// How long one line may take to be read.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long after the stop a request that was under way is still answered.
const LAST_CALL: Duration = Duration::from_millis(50);
/// Calls of one connection that wait at a time.
const MAX_WAITING: usize = 256;
/// Subscriptions of one connection.
const MAX_SUBSCRIPTIONS: usize = 8;
