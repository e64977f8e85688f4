//! The requests of one room: one at a time, the same bytes until they are answered.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::conversation::{Request, RequestKind};
use sabir_wire::uri::RoomUri;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::ClientError;
use super::keeper::Odd;
use super::outgoing::Next;
use super::workers::{REFUSED_PAUSE, Workers};
use crate::account::now;
use crate::transport::{Answer, Call, Chain, TransportError, route};

/// The shortest wait for a time that an engine names: one that has passed must not make a worker spin.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

const REFUSED: &str = "Your provider does not take messages for this room at present";

impl Workers {
    /// Serves a room until the client stops. `news` wakes it.
    pub(super) async fn serve_room(self, room: RoomUri, news: Arc<Notify>) {
        let mut failures = 0;
        let mut blocked = false;
        loop {
            let of = room.clone();
            let next = self
                .keep()
                .run(move |keeper| keeper.next(&of))
                .await
                .and_then(|next| next);
            let result = match next {
                Ok(Next::Send(request)) => {
                    let result = self.exchange(&room, request).await;
                    if result.is_ok() && std::mem::take(&mut blocked) {
                        self.say_blocked(&room, None).await;
                    }
                    result
                }
                Ok(Next::Wait(until)) => {
                    tokio::select! {
                        () = news.notified() => {}
                        () = sleep_until(until) => {}
                    }
                    Ok(())
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => failures = 0,
                Err(ClientError::Stopped) => return,
                Err(error) => {
                    tracing::debug!(error = %Chain(&error), "a request of a room failed");
                    if let ClientError::Transport(TransportError::Refused { .. }) = error {
                        // The request as such is refused, which a hub's decision never looks like: the message stays,
                        // the room says so, and it is tried again after a while.
                        blocked = true;
                        self.say_blocked(&room, Some(REFUSED)).await;
                        tokio::select! {
                            () = news.notified() => {}
                            () = sleep(REFUSED_PAUSE) => {}
                        }
                    } else {
                        self.pause_or_online(&error, failures).await;
                    }
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    /// Sends a request and has its answer applied. An answer is applied before anything else is sent, however many
    /// identities it takes; where the hub's own cannot be had, the request is sent again later.
    async fn exchange(&self, room: &RoomUri, request: Request) -> Result<(), ClientError> {
        let (path, max_answer) =
            route(room, &request).map_err(|error| ClientError::Internal(error.to_string()))?;
        let call = Call::post(path, request.body.clone(), max_answer);
        let answer = match self.transport().call(&call).await {
            // Another provider is asked through the own one, which cannot reach it or does not find it.
            // One that takes the request and never answers counts as not reached too: people are not to wait for it.
            Err(TransportError::Busy { .. } | TransportError::Refused { .. } | TransportError::Timeout)
                if request.kind == RequestKind::KeyMaterial =>
            {
                let of = room.clone();
                return self
                    .keep()
                    .run(move |keeper| keeper.unreachable(&of, &request))
                    .await?;
            }
            answer => answer?,
        };
        let mut asked = None;
        loop {
            match self.apply(room, &request, &answer).await {
                Err(ClientError::UnknownProvider(domain)) if asked.as_ref() != Some(&domain) => {
                    self.identify(&domain).await;
                    asked = Some(domain);
                }
                // Anybody but a hub is done without.
                Err(error @ ClientError::UnknownProvider(_)) => {
                    self.tell(Odd::Hub).await;
                    return Err(error);
                }
                result => return result,
            }
        }
    }

    async fn apply(&self, room: &RoomUri, request: &Request, answer: &Answer) -> Result<(), ClientError> {
        let (room, request, answer) = (room.clone(), request.clone(), answer.clone());
        self.keep()
            .run(move |keeper| keeper.answered(&room, &request, &answer))
            .await?
    }

    async fn say_blocked(&self, room: &RoomUri, reason: Option<&'static str>) {
        let room = room.clone();
        // Where the profile fails, the next step of the room says so.
        let _ = self
            .keep()
            .run(move |keeper| keeper.set_blocked(&room, reason))
            .await;
    }
}

/// Sleeps until a time in milliseconds since the epoch; without one, for ever.
async fn sleep_until(until: Option<u64>) {
    match until {
        Some(until) => {
            let wait = Duration::from_millis(until.saturating_sub(now().unwrap_or_default()));
            sleep(wait.max(SHORTEST_WAIT)).await;
        }
        None => std::future::pending().await,
    }
}
