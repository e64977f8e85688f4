//! One device's event stream under load.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::LoadClient;
use super::shots::Shots;
use super::volley::Field;
use crate::TownError;

/// Events are acknowledged in strides, as by a client that stores what comes together in one transaction.
const ACK_EVERY: u64 = 64;

/// What one device got.
#[derive(Clone)]
pub(super) struct Lane {
    /// The messages' places among the shots, as they came.
    order: Vec<usize>,
    seen: Vec<bool>,
    /// Of what came while the clock ran.
    pub(super) latencies: Vec<Duration>,
}

impl Lane {
    pub(super) fn new(shots: &Shots) -> Self {
        Self {
            order: Vec::new(),
            seen: vec![false; shots.len()],
            latencies: Vec::new(),
        }
    }

    /// Takes an entry of the log. Whether it is a message.
    ///
    /// # Errors
    /// [`TownError::Wrong`] where nobody sent it, it was there before, or others got other bytes.
    pub(super) fn take(&mut self, field: &Field, entry: Vec<u8>) -> Result<bool, TownError> {
        let Some(place) = field.shots.place(&entry)? else {
            return Ok(false);
        };
        let (Some(shot), Some(seen)) = (field.shots.get(place), self.seen.get_mut(place)) else {
            return Err(TownError::Wrong("no such place".to_owned()));
        };
        if std::mem::replace(seen, true) {
            return Err(TownError::Wrong("a message came twice".to_owned()));
        }
        let age = shot
            .age(field.clock.started.elapsed())
            .ok_or_else(|| TownError::Wrong("a message came before it was sent".to_owned()))?;
        if !shot.is_like(entry) {
            return Err(TownError::Wrong("two got different bytes".to_owned()));
        }
        self.order.push(place);
        if field.clock.is_running() {
            self.latencies.push(age);
        }
        Ok(true)
    }

    /// That everything sent came, in the same order as to another.
    ///
    /// # Errors
    /// [`TownError::Wrong`].
    pub(super) fn check(&self, sent: usize, other: &Self) -> Result<(), TownError> {
        if self.order.len() != sent {
            let lost = format!("{} of {sent} messages arrived", self.order.len());
            return Err(TownError::Wrong(lost));
        }
        if self.order != other.order {
            return Err(TownError::Wrong("two got different orders".to_owned()));
        }
        Ok(())
    }
}

/// Reads a device's stream until it is over.
pub(super) async fn read(
    mut client: LoadClient,
    field: Arc<Field>,
    counts: bool,
    mut over: watch::Receiver<bool>,
) -> Result<(LoadClient, Lane), TownError> {
    let mut lane = Lane::new(&field.shots);
    let mut acks = JoinSet::new();
    let mut acked = client.cursor;
    loop {
        let (_, entry) = tokio::select! {
            biased;
            entry = client.next() => entry?,
            _ = over.wait_for(|over| *over) => break,
        };
        if lane.take(&field, entry)? {
            field.arrived.fetch_add(1, Ordering::Relaxed);
            if counts {
                field.permits.add_permits(1);
            }
        }
        if client.cursor.saturating_sub(acked) >= ACK_EVERY {
            acked = client.cursor;
            let sender = client.sender();
            acks.spawn(async move { sender.ack(acked).await });
            while let Some(done) = acks.try_join_next() {
                done.map_err(super::client::wrong)??;
            }
        }
    }
    for done in acks.join_all().await {
        done?;
    }
    Ok((client, lane))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;
    use sabir_wire::codec::Encode;
    use sabir_wire::mls::{ContentType, MlsMessage, PrivateMessage};
    use sabir_wire::protocol::{FanoutBody, FanoutMessage};

    use super::*;

    fn message(number: u8) -> MlsMessage {
        MlsMessage::Private(PrivateMessage {
            group_id: vec![1],
            epoch: 1,
            content_type: ContentType::Application,
            authenticated_data: Vec::new(),
            encrypted_sender_data: vec![number; 28],
            ciphertext: vec![number; 40],
        })
    }

    fn entry(number: u8, timestamp: u64) -> Vec<u8> {
        let body = FanoutBody::Application {
            message: Box::new(message(number)),
            frank: None,
        };
        FanoutMessage { timestamp, body }.to_bytes()
    }

    #[test]
    fn what_should_not_be_is_found() {
        let shots = Shots::new(vec![(0..3).map(|n| (Bytes::new(), message(n))).collect()]).unwrap();
        let field = Field::quiet(shots);
        for place in 0..3 {
            let now = field.clock.started.elapsed();
            field.shots.get(place).unwrap().send_at(now);
        }
        let (mut one, mut other) = (Lane::new(&field.shots), Lane::new(&field.shots));
        assert!(one.take(&field, entry(0, 7)).unwrap());
        assert!(one.take(&field, entry(1, 8)).unwrap());
        assert!(one.take(&field, entry(1, 8)).is_err(), "twice");
        assert!(one.take(&field, entry(9, 8)).is_err(), "of nobody");
        assert!(other.take(&field, entry(1, 8)).unwrap());
        assert!(other.take(&field, entry(0, 9)).is_err(), "other bytes");
        assert!(one.check(2, &one).is_ok());
        assert!(one.check(3, &one).is_err(), "lost");

        let (mut one, mut other) = (Lane::new(&field.shots), Lane::new(&field.shots));
        for (first, second) in [(0, 1), (1, 0)] {
            one.take(&field, entry(first, u64::from(first) + 7)).unwrap();
            other.take(&field, entry(second, u64::from(second) + 7)).unwrap();
        }
        assert!(one.check(2, &other).is_err(), "another order");
    }

    #[test]
    fn what_was_not_sent_cannot_come() {
        let field = Field::quiet(Shots::new(vec![vec![(Bytes::new(), message(0))]]).unwrap());
        assert!(Lane::new(&field.shots).take(&field, entry(0, 7)).is_err());
    }
}
