use std::time::Duration;

use super::process::{Process, Usage};

/// What a run measured, in the terms of `sabir-load`.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Messages that arrived at one receiver, each second.
    pub delivered_per_s: f64,
    /// From sending to arrival, the median, in milliseconds.
    pub p50_ms: f64,
    /// The same, the slowest hundredth.
    pub p99_ms: f64,
    /// CPU time of all server processes for 10,000 deliveries, in seconds.
    pub cpu_s_per_10k: f64,
    /// Resident memory of all server processes, in MiB.
    pub rss_mb: f64,
    /// CPU seconds of the load generator.
    pub generator_cpu: f64,
}

/// A measurement that runs.
pub(super) struct Watch {
    servers: Usage,
    own: Usage,
    started: std::time::Instant,
}

impl Watch {
    pub(super) fn start(servers: &[Process]) -> Self {
        Self {
            servers: Usage::of(servers),
            own: Usage::of_this(),
            started: std::time::Instant::now(),
        }
    }

    /// Ends it, with what was delivered meanwhile and how long each took.
    pub(super) fn stop(self, servers: &[Process], mut delays: Vec<Duration>) -> Figures {
        let elapsed = self.started.elapsed().as_secs_f64();
        let now = Usage::of(servers);
        let delivered = f64::from(u32::try_from(delays.len()).unwrap_or(u32::MAX));
        delays.sort_unstable();
        let percentile = |percent: usize| {
            let last = delays.len().saturating_sub(1);
            let index = last.saturating_mul(percent).checked_div(100).unwrap_or_default();
            delays
                .get(index)
                .map_or(0.0, |delay| delay.as_secs_f64() * 1000.0)
        };
        Figures {
            delivered_per_s: delivered / elapsed,
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            cpu_s_per_10k: (now.cpu_seconds - self.servers.cpu_seconds) * 10_000.0 / delivered.max(1.0),
            rss_mb: now.resident_mib,
            generator_cpu: Usage::of_this().cpu_seconds - self.own.cpu_seconds,
        }
    }
}
