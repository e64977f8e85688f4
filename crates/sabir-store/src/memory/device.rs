//! Device queues in the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use crate::types::Hint;
use crate::{DeviceItem, Enqueue, Notice, Once, StoreError};

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The last cursor that was issued; 0 before the first.
    pub(super) issued: u64,
    pub(super) items: BTreeMap<u64, DeviceItem>,
}

impl State {
    pub(super) fn enqueue(&mut self, device: &str, item: impl FnOnce(u64) -> DeviceItem) -> u64 {
        let queue = self.queues.entry(device.to_owned()).or_default();
        queue.issued = queue.issued.saturating_add(1);
        queue.items.insert(queue.issued, item(queue.issued));
        queue.issued
    }

    pub(super) fn device_enqueue(&mut self, command: Enqueue, hints: &mut Vec<Hint>) -> Once<Vec<u64>> {
        let Enqueue { notices, answer, now } = command;
        if let Some(response) = self.earlier_answer(answer.as_ref()) {
            return Once::AlreadyAnswered(response);
        }
        let mut cursors = Vec::new();
        for Notice { device, kind, body } in notices {
            cursors.push(self.enqueue(&device, |cursor| DeviceItem {
                cursor,
                place: None,
                kind,
                at: now,
                body: body.into(),
            }));
            hints.push(Hint::Device(Arc::from(device)));
        }
        self.keep_answer(answer, now);
        Once::Done(cursors)
    }

    pub(super) fn device_read(
        &self,
        device: &str,
        after: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Vec<DeviceItem> {
        let Some(queue) = self.queues.get(device) else {
            return Vec::new();
        };
        let mut items: Vec<DeviceItem> = Vec::new();
        let mut bytes = 0_usize;
        for (_, item) in queue.items.range(after.saturating_add(1)..).take(limit) {
            bytes = bytes.saturating_add(item.body.len());
            if bytes > max_bytes && !items.is_empty() {
                break;
            }
            items.push(item.clone());
        }
        items
    }

    pub(super) fn device_ack(&mut self, device: &str, cursor: u64) -> Result<u64, StoreError> {
        let issued = self.queues.get(device).map_or(0, |queue| queue.issued);
        if cursor > issued {
            return Err(StoreError::Misuse("cursor was never issued"));
        }
        let Some(queue) = self.queues.get_mut(device) else {
            return Ok(0);
        };
        let kept = queue.items.split_off(&cursor.saturating_add(1));
        let gone = std::mem::replace(&mut queue.items, kept);
        Ok(gone.len() as u64)
    }
}
