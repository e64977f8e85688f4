use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::Error;

/// Streams of one device. Several are tolerated, for a device that reconnects before we notice that it left.
const MOST: usize = 8;

/// Who waits for which device's events.
#[derive(Debug, Default)]
pub struct Wakers {
    listening: Mutex<HashMap<String, Vec<Arc<Notify>>>>,
}

/// One stream's ear. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Listening {
    wakers: Arc<Wakers>,
    device: String,
    woken: Arc<Notify>,
}

impl Wakers {
    /// Listens for a device's events from now on.
    pub(super) fn listen(self: &Arc<Self>, device: &str) -> Result<Listening, Error> {
        let woken = Arc::new(Notify::new());
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let ears = listening.entry(device.to_owned()).or_default();
        if ears.len() >= MOST {
            return Err(Error::TooMany {
                retry_after: Duration::from_secs(30),
            });
        }
        ears.push(Arc::clone(&woken));
        Ok(Listening {
            wakers: Arc::clone(self),
            device: device.to_owned(),
            woken,
        })
    }

    /// Wakes the streams of a device.
    pub fn wake(&self, device: &str) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        for woken in listening.get(device).into_iter().flatten() {
            woken.notify_one();
        }
    }

    /// Wakes every stream: hints were lost.
    pub fn wake_all(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        for woken in listening.values().flatten() {
            woken.notify_one();
        }
    }
}

impl Listening {
    /// Completes when there may be something new; at once when there was since it last completed.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listening = self
            .wakers
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(ears) = listening.get_mut(&self.device) {
            ears.retain(|woken| !Arc::ptr_eq(woken, &self.woken));
            if ears.is_empty() {
                listening.remove(&self.device);
            }
        }
    }
}
