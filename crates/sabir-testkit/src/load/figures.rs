use std::io::Write;
use std::time::Duration;

use crate::{Town, TownError};

/// What a run measured.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Pairs of people.
    pub pairs: usize,
    /// Messages that arrived.
    pub delivered: usize,
    /// How long that took.
    pub seconds: f64,
    /// CPU time of both providers meanwhile.
    pub cpu_seconds: f64,
    /// From submitting a message to its arrival, one at a time.
    pub ping_p50: Duration,
    /// The same, the slowest hundredth.
    pub ping_p99: Duration,
    /// Resident memory of each provider before anything happened.
    pub idle_kib: [u64; 2],
    /// Resident memory of both providers after the load.
    pub loaded_kib: u64,
}

/// Prints the figures as a table.
pub fn print(figures: &Figures, out: &mut impl Write) {
    let rate = figures.delivered as f64 / figures.seconds;
    let per_10k = figures.cpu_seconds * 10_000.0 / figures.delivered.max(1) as f64;
    let rows = [
        ("pairs".to_owned(), figures.pairs.to_string()),
        ("delivered".to_owned(), figures.delivered.to_string()),
        ("messages/s".to_owned(), format!("{rate:.0}")),
        ("provider CPU s per 10k".to_owned(), format!("{per_10k:.2}")),
        (
            "p50 submit to delivery".to_owned(),
            format!("{:.2} ms", figures.ping_p50.as_secs_f64() * 1000.0),
        ),
        (
            "p99 submit to delivery".to_owned(),
            format!("{:.2} ms", figures.ping_p99.as_secs_f64() * 1000.0),
        ),
        ("idle provider".to_owned(), format!("{:?} KiB", figures.idle_kib)),
        (
            "both after load".to_owned(),
            format!("{} KiB", figures.loaded_kib),
        ),
    ];
    for (name, value) in rows {
        // A closed pipe ends the printing, nothing else.
        let _ = writeln!(out, "{name:<24} {value}");
    }
}

/// The value below which `percent` of the sorted values lie.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = sorted
        .len()
        .saturating_sub(1)
        .saturating_mul(percent)
        .checked_div(100)
        .unwrap_or_default();
    sorted.get(index).copied().unwrap_or_default()
}

/// What both providers have used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) cpu_seconds: f64,
    pub(super) resident_kib: u64,
}

impl Usage {
    pub(super) fn read(town: &Town) -> Result<Self, TownError> {
        let mut usage = Self {
            cpu_seconds: 0.0,
            resident_kib: 0,
        };
        for domain in ["a.example", "b.example"] {
            let provider = town.provider(domain)?;
            usage.cpu_seconds += provider.cpu_seconds()?;
            usage.resident_kib = usage.resident_kib.saturating_add(provider.resident_kib()?);
        }
        Ok(usage)
    }
}
