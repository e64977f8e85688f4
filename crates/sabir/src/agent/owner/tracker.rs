//! Which messages and acts wait to be accepted, and who waits for them.
//!
//! One subscription for the whole agent, however many commands wait: each of them is woken when its own message
//! changed, and looks for itself.

use std::collections::BTreeSet;

use sabir_client::types::{Event, Message, MessageState};
use sabir_client::{Client, ClientError};
use tokio::sync::{broadcast, watch};

/// A view on what waits; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Tracker {
    waiting: watch::Receiver<Option<usize>>,
    changed: broadcast::Sender<u64>,
}

impl Tracker {
    /// Begins to follow the client's events, until it is shut down.
    pub(super) fn start(client: Client) -> Self {
        let (waiting_sender, waiting) = watch::channel(None);
        let (changed, _) = broadcast::channel(BACKLOG);
        let tracker = Self {
            waiting,
            changed: changed.clone(),
        };
        tokio::spawn(async move {
            if let Err(error) = follow(&client, &waiting_sender, &changed).await {
                tracing::debug!(%error, "events end");
            }
        });
        tracker
    }

    /// How many messages wait; nothing until they were counted.
    pub(super) fn waiting(&self) -> Option<usize> {
        *self.waiting.borrow()
    }

    /// What changes from now on.
    pub(super) fn news(&self) -> News {
        News(self.changed.subscribe())
    }
}

/// Changes of messages.
#[derive(Debug)]
pub(super) struct News(broadcast::Receiver<u64>);

impl News {
    /// Waits until the message changed, or may have.
    pub(super) async fn of(&mut self, local_id: u64) {
        loop {
            match self.0.recv().await {
                Ok(changed) if changed == local_id => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The client is shut down: what waits is told so by the agent.
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}

async fn follow(
    client: &Client,
    waiting: &watch::Sender<Option<usize>>,
    changed: &broadcast::Sender<u64>,
) -> Result<(), ClientError> {
    // Events behind this cursor repeat what the count saw already: a set does not mind.
    let mut events = client.subscribe(Some(client.cursor()));
    let mut queued = count(client).await?;
    loop {
        waiting.send_replace(Some(queued.len()));
        match events.next().await?.event {
            Event::MessageAdded { message } | Event::MessageChanged { message } => {
                note(&mut queued, &message);
                if let Some(local_id) = message.local_id {
                    // Nobody may be waiting.
                    let _ = changed.send(local_id);
                }
            }
            Event::Outgoing { outgoing } => {
                if outgoing.state == MessageState::Queued {
                    queued.insert(outgoing.local_id);
                } else {
                    queued.remove(&outgoing.local_id);
                }
                let _ = changed.send(outgoing.local_id);
            }
            Event::Missed => queued = count(client).await?,
            _ => {}
        }
    }
}

fn note(queued: &mut BTreeSet<u64>, message: &Message) {
    let Some(local_id) = message.local_id else { return };
    if message.state == MessageState::Queued {
        queued.insert(local_id);
    } else {
        queued.remove(&local_id);
    }
}

/// The local ids of everything that waits. Messages that wait are behind all others in their room.
async fn count(client: &Client) -> Result<BTreeSet<u64>, ClientError> {
    let mut queued: BTreeSet<u64> = client.asked().await?.into_iter().collect();
    for room in client.rooms().await? {
        let mut before = None;
        loop {
            let page = client.timeline(&room.room, before, PAGE).await?;
            page.iter().for_each(|message| note(&mut queued, message));
            match page.first() {
                Some(first) if first.state == MessageState::Queued => before = Some(first.position),
                _ => break,
            }
        }
    }
    Ok(queued)
}

/// Changes that a waiting call may lag behind before it looks for itself.
const BACKLOG: usize = 1024;
/// Messages read at a time.
const PAGE: u32 = 200;
