//! Every workload of the load generator in small, against real providers: nothing is lost, nothing comes twice, and
//! everything verifies, or it fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::time::Duration;

use sabir_testkit::load::{self, Plan, Workload};

#[test]
fn every_workload_runs_in_small() {
    for (workload, people, senders) in [
        (Workload::OneToOne, 2, 2),
        (Workload::Low, 1, 1),
        (Workload::Group, 5, 2),
    ] {
        let plan = Plan {
            people,
            senders,
            warm_up: 5,
            ..Plan::new(workload, Duration::from_millis(300))
        };
        let figures = load::run(plan).unwrap_or_else(|error| panic!("{workload:?}: {error}"));
        assert!(figures.delivered_per_s > 0.0, "{figures:?}");
        assert!(
            figures.p50 > Duration::ZERO && figures.p50 <= figures.p99,
            "{figures:?}"
        );
        assert!(figures.rss_mb > 1.0, "{figures:?}");
    }
}
