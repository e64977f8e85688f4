//! What a run measured, and where the numbers come from: the same for our providers and for other servers.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::Workload;
use crate::TownError;
use crate::process::Usage;

/// What a run measured, while the clock ran.
#[derive(Debug, Clone)]
pub struct Figures {
    /// What was done.
    pub workload: Workload,
    /// Messages that arrived, each counted for everybody who counts, per second.
    pub delivered_per_s: f64,
    /// From just before sending to the arrival, half of them.
    pub p50: Duration,
    /// The same, all but a hundredth.
    pub p99: Duration,
    /// User and system time of all processes of both servers for 10,000 deliveries, in seconds.
    pub cpu_s_per_10k: f64,
    /// Resident memory of all processes of both servers at the end, in MiB.
    pub rss_mb: f64,
    /// User and system time of the generator itself, in seconds.
    pub generator_cpu: f64,
}

impl Figures {
    /// The figures as the members of a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let members = [
            ("workload", json!(self.workload.name())),
            ("delivered_per_s", json!(round(self.delivered_per_s, 1.0))),
            ("p50_ms", json!(round(milliseconds(self.p50), 1000.0))),
            ("p99_ms", json!(round(milliseconds(self.p99), 1000.0))),
            ("cpu_s_per_10k", json!(round(self.cpu_s_per_10k, 1000.0))),
            ("rss_mb", json!(round(self.rss_mb, 10.0))),
            ("generator_cpu", json!(round(self.generator_cpu, 100.0))),
        ];
        let members = members.into_iter();
        members.map(|(name, value)| (name.to_owned(), value)).collect()
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
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let index = last.saturating_mul(percent).checked_div(100).unwrap_or_default();
    sorted.get(index).copied().unwrap_or_default()
}

/// A clock that runs, and what was used before.
pub(crate) struct Watch {
    servers: Vec<u32>,
    before: Usage,
    own_before: Usage,
    started: Instant,
}

impl Watch {
    /// Starts the clock over servers, by the ids of their processes.
    ///
    /// # Errors
    /// [`TownError::Wrong`] where one of them has ended.
    pub(crate) fn start(servers: Vec<u32>) -> Result<Self, TownError> {
        Ok(Self {
            before: Usage::of(&servers)?,
            own_before: Usage::of_this()?,
            servers,
            started: Instant::now(),
        })
    }

    /// Stops the clock.
    ///
    /// # Errors
    /// [`TownError::Wrong`] where a server has ended meanwhile.
    pub(crate) fn stop(self) -> Result<Watched, TownError> {
        let took = self.started.elapsed();
        let after = Usage::of(&self.servers)?;
        Ok(Watched {
            took,
            cpu_seconds: after.cpu_seconds - self.before.cpu_seconds,
            resident_mib: after.resident_mib,
            generator_cpu: Usage::of_this()?.cpu_seconds - self.own_before.cpu_seconds,
        })
    }
}

/// What was used while the clock ran.
pub(crate) struct Watched {
    took: Duration,
    cpu_seconds: f64,
    resident_mib: f64,
    generator_cpu: f64,
}

impl Watched {
    /// The figures, from how long each delivery that the clock saw was under way.
    pub(crate) fn figures(self, workload: Workload, mut delays: Vec<Duration>) -> Figures {
        delays.sort_unstable();
        let delivered = delays.len() as f64;
        Figures {
            workload,
            delivered_per_s: delivered / self.took.as_secs_f64(),
            p50: percentile(&delays, 50),
            p99: percentile(&delays, 99),
            cpu_s_per_10k: self.cpu_seconds * 10_000.0 / delivered.max(1.0),
            rss_mb: self.resident_mib,
            generator_cpu: self.generator_cpu,
        }
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
        let expected = json!({
            "workload": "low", "delivered_per_s": 50.0, "p50_ms": 1.234, "p99_ms": 5.0,
            "cpu_s_per_10k": 0.333, "rss_mb": 30.0, "generator_cpu": 0.13,
        });
        assert_eq!(Value::Object(figures.to_json()), expected);
    }

    #[test]
    fn percentiles() {
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_micros).collect();
        assert_eq!(percentile(&sorted, 50), Duration::from_micros(50));
        assert_eq!(percentile(&sorted, 99), Duration::from_micros(99));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn figures_are_of_what_the_clock_saw() {
        let watched = Watched {
            took: Duration::from_secs(2),
            cpu_seconds: 0.5,
            resident_mib: 40.0,
            generator_cpu: 0.75,
        };
        let delays = [Duration::from_millis(9), Duration::from_millis(1)];
        let figures = watched.figures(Workload::Group, delays.repeat(50));
        assert!((figures.delivered_per_s - 50.0).abs() < 1e-9, "{figures:?}");
        assert!((figures.cpu_s_per_10k - 50.0).abs() < 1e-9, "{figures:?}");
        assert_eq!((figures.p50, figures.p99), (delays[1], delays[0]));
    }
}
