//! What a run measured, and where the numbers come from.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::{DOMAINS, Workload};
use crate::{Town, TownError};

/// What a run measured, while the clock ran.
#[derive(Debug, Clone)]
pub struct Figures {
    /// What was done.
    pub workload: Workload,
    /// Messages that arrived, each counted for everybody who counts, per second.
    pub delivered_per_s: f64,
    /// From just before the request to the arrival, half of them.
    pub p50: Duration,
    /// The same, all but a hundredth.
    pub p99: Duration,
    /// User and system time of both providers for 10,000 deliveries, in seconds.
    pub cpu_s_per_10k: f64,
    /// Resident memory of both providers together at the end, in MiB.
    pub rss_mb: f64,
    /// User and system time of the generator itself, in seconds.
    pub generator_cpu: f64,
}

impl Figures {
    /// The figures as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({
            "workload": self.workload.name(),
            "delivered_per_s": round(self.delivered_per_s, 1.0),
            "p50_ms": round(milliseconds(self.p50), 1000.0),
            "p99_ms": round(milliseconds(self.p99), 1000.0),
            "cpu_s_per_10k": round(self.cpu_s_per_10k, 1000.0),
            "rss_mb": round(self.rss_mb, 10.0),
            "generator_cpu": round(self.generator_cpu, 100.0),
        })
        .to_string()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<6} {:>7.0} delivered/s   p50 {:.2} ms   p99 {:.2} ms   {:.2} CPU s per 10k   {:.0} MB   generator {:.2} CPU s",
            self.workload.name(),
            self.delivered_per_s,
            milliseconds(self.p50),
            milliseconds(self.p99),
            self.cpu_s_per_10k,
            self.rss_mb,
            self.generator_cpu,
        )
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

/// The value below which `percent` of the sorted values lie.
pub(super) fn percentile(sorted: &[u32], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let index = last.saturating_mul(percent).checked_div(100).unwrap_or_default();
    Duration::from_micros(sorted.get(index).copied().unwrap_or_default().into())
}

/// What the processes have used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// Both providers, in seconds.
    pub(super) providers: f64,
    /// This process, in seconds.
    pub(super) generator: f64,
    /// Resident memory of both providers, in KiB.
    pub(super) resident_kib: u64,
}

impl Usage {
    pub(super) fn read(town: &Town) -> Result<Self, TownError> {
        let mut usage = Self {
            providers: 0.0,
            generator: crate::provider::cpu_seconds_of(std::process::id())?,
            resident_kib: 0,
        };
        for domain in DOMAINS {
            let provider = town.provider(domain)?;
            usage.providers += provider.cpu_seconds()?;
            usage.resident_kib = usage.resident_kib.saturating_add(provider.resident_kib()?);
        }
        Ok(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_promised_keys() {
        let figures = Figures {
            workload: Workload::Low,
            delivered_per_s: 49.96,
            p50: Duration::from_micros(1234),
            p99: Duration::from_millis(5),
            cpu_s_per_10k: 1.0 / 3.0,
            rss_mb: 30.04,
            generator_cpu: 0.125,
        };
        let json: serde_json::Value = serde_json::from_str(&figures.to_json()).unwrap_or_default();
        let expected = json!({
            "workload": "low", "delivered_per_s": 50.0, "p50_ms": 1.234, "p99_ms": 5.0,
            "cpu_s_per_10k": 0.333, "rss_mb": 30.0, "generator_cpu": 0.13,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn percentiles() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&sorted, 50), Duration::from_micros(50));
        assert_eq!(percentile(&sorted, 99), Duration::from_micros(99));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
