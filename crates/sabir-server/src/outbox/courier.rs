use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use sabir_store::{Batch, OutboxAck, OutboxDefer};
use sabir_wire::uri::{Domain, RoomUri};

use super::wait::backoff;
use crate::directory::Endpoint;
use crate::server::Shared;

/// What became of a delivery, as far as the follower as a whole is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// It has the batch.
    Accepted,
    /// It has it, which the store does not know: it is due as before.
    Unacknowledged,
    /// It answered something else.
    Answered,
    /// It did not.
    Unreachable,
}

/// Delivers a batch and notes the outcome in the store.
pub(super) async fn deliver(shared: &Shared, batch: Batch) -> Delivered {
    let Batch {
        room,
        follower,
        last_seq,
        entries,
        attempts,
        ..
    } = batch;
    let (Ok(to), Ok(about)) = (Domain::parse(&follower), RoomUri::parse(&room)) else {
        tracing::error!("a stored batch names no room or provider");
        return Delivered::Unreachable;
    };
    let size = entries.iter().map(|entry| entry.body.len()).sum();
    let mut body = Vec::with_capacity(size);
    for entry in entries {
        body.extend_from_slice(&entry.body);
    }
    let defer = |attempts: u32, wait: Duration| {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        shared.store.outbox_defer(OutboxDefer {
            room: room.clone(),
            follower: follower.clone(),
            last_seq,
            attempts,
            next_attempt_at: shared.ambient.now().saturating_add(wait),
        })
    };
    let segment = about.to_path_segment();
    let answer = shared
        .peers
        .post(&to, Endpoint::Notify, &segment, Bytes::from(body))
        .await;

    let (delivered, wait) = match answer {
        // draft-ietf-mimi-protocol-06 §5.5: "201 Created".
        Ok(answer) if answer.status.is_success() => {
            let ack = OutboxAck {
                room: room.clone(),
                follower: follower.clone(),
                last_seq,
                now: shared.ambient.now(),
            };
            if let Err(error) = shared.store.outbox_ack(ack).await {
                tracing::warn!(%error, "an accepted batch stays in the outbox; it is sent again");
                return Delivered::Unacknowledged;
            }
            return Delivered::Accepted;
        }
        Ok(answer) => {
            if attempts == 0 {
                let status = answer.status.as_u16();
                tracing::info!(%follower, status, "a provider does not accept fan-out; it is tried again");
            }
            // A server in trouble is in trouble with every room.
            let delivered = if answer.status.is_server_error() && answer.status != StatusCode::NOT_IMPLEMENTED
            {
                Delivered::Unreachable
            } else {
                Delivered::Answered
            };
            (delivered, answer.retry_after)
        }
        Err(error) => {
            tracing::debug!(%follower, %error, "a provider cannot be reached; it is tried again");
            (Delivered::Unreachable, None)
        }
    };
    let attempts = attempts.saturating_add(1);
    let wait = backoff(attempts, &shared.ambient).max(wait.unwrap_or_default());
    if let Err(error) = defer(attempts, wait).await {
        tracing::warn!(%error, "a batch could not be put off; it is sent again");
    }
    delivered
}
