//! When arrivals are reported: some time after the last of them, and not too often.

use std::collections::BTreeMap;

use sabir_wire::uri::RoomUri;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::ClientError;
use super::receipts::Reported;
use super::workers::Workers;

/// A room in which something arrived.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    /// No later than this, however much arrives.
    latest: Instant,
}

impl Workers {
    /// Reports arrivals in the rooms that `arrived` names until the client stops.
    pub(super) async fn report_arrivals(self, mut arrived: mpsc::UnboundedReceiver<RoomUri>) {
        let (delay, pause) = (self.timing().report_delay, self.timing().report_pause);
        let mut due: BTreeMap<RoomUri, Due> = BTreeMap::new();
        let mut last: BTreeMap<RoomUri, Instant> = BTreeMap::new();
        loop {
            let next = due.iter().min_by_key(|(_, due)| due.at);
            let next = next.map(|(room, due)| (room.clone(), due.at));
            let alarm = async {
                match &next {
                    Some((room, at)) => {
                        sleep_until(*at).await;
                        room.clone()
                    }
                    None => std::future::pending().await,
                }
            };
            let room = tokio::select! {
                room = arrived.recv() => match room {
                    Some(room) => {
                        let now = Instant::now();
                        let earliest = last.get(&room).map_or(now, |last| (*last + pause).max(now));
                        let at = (now + delay).max(earliest);
                        due.entry(room)
                            .and_modify(|due| due.at = at.min(due.latest))
                            .or_insert(Due { at, latest: earliest + delay + pause });
                        continue;
                    }
                    None => return,
                },
                room = alarm => room,
            };
            due.remove(&room);
            let of = room.clone();
            let outcome = self
                .keep()
                .run(move |keeper| keeper.report_arrivals(&of))
                .await
                .and_then(|outcome| outcome);
            let now = Instant::now();
            last.retain(|_, last| *last + pause > now);
            last.insert(room.clone(), now);
            match outcome {
                Ok(Reported::Done) => {}
                Ok(Reported::Later) => {
                    let at = now + delay + pause;
                    due.insert(room, Due { at, latest: at });
                }
                Err(ClientError::Stopped) => return,
                // What arrives next tries again; nobody is waiting.
                Err(error) => tracing::debug!(%error, "arrivals cannot be reported"),
            }
        }
    }
}
