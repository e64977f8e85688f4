use std::time::Duration;

use tokio::time::Instant;

/// Bytes that a transfer must move within each time, so that nobody holds one by trickling.
const LEAST: u64 = 16 * 1024;

/// How fast a file comes or goes at least.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// Time for [`LEAST`] bytes.
    patience: Duration,
    since: Instant,
    /// Bytes since then.
    moved: u64,
}

impl Pace {
    /// From now on.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            since: Instant::now(),
            moved: 0,
        }
    }

    /// By when the next byte must have moved.
    pub(super) fn due(&self) -> Instant {
        self.due_with(0)
    }

    /// By when so many bytes more must have moved, which move at once or not at all.
    pub(super) fn due_with(&self, bytes: usize) -> Instant {
        let times = self.moved.saturating_add(bytes as u64).div_ceil(LEAST).max(1);
        let wait = self
            .patience
            .saturating_mul(u32::try_from(times).unwrap_or(u32::MAX));
        self.since.checked_add(wait).unwrap_or(self.since)
    }

    /// So many bytes have moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes as u64);
        if self.moved >= LEAST {
            (self.since, self.moved) = (Instant::now(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn it_counts_bytes_and_not_their_coming() {
        let mut pace = Pace::new(PATIENCE);
        let begun = Instant::now();
        for _ in 0..100 {
            tokio::time::advance(Duration::from_millis(100)).await;
            pace.moved(100);
        }
        assert_eq!(pace.due() - begun, PATIENCE, "it trickles");
        pace.moved(7_000);
        assert_eq!(pace.due() - Instant::now(), PATIENCE);
        // Four times as many bytes in one block have four times as long.
        assert_eq!(pace.due_with(65_536) - Instant::now(), 4 * PATIENCE);
        assert_eq!(pace.due_with(1) - Instant::now(), PATIENCE);
    }
}
