//! Lives through simulated worlds: `cargo xtask sim`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool talks to the terminal"
)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sabir_testkit::sim;

const HELP: &str = "\
usage: cargo xtask sim [--seeds N] [--from S] [--all] [--jobs N] | --replay S | --bugs [NAME]

  --seeds N    worlds to live through, 200 unless given
  --from S     the first seed, 0 unless given
  --all        goes on after a world in which something was wrong
  --jobs N     worlds at a time, each on one thread; 1 unless given
  --replay S   tells the story of one world; --replay S NAME with a bug planted
  --bugs       plants one bug after the other, and says which seed of the first 2,000 finds it; --bugs NAME plants one
";

#[derive(Debug)]
enum Wish {
    Seeds {
        count: u64,
        from: u64,
        all: bool,
        jobs: u64,
    },
    Replay(u64, Option<sim::Bug>),
    Bugs(Option<sim::Bug>),
}

fn main() -> ExitCode {
    let wish = match parse(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(wish) => wish,
        Err(message) => {
            eprint!("error: {message}\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let well = match wish {
        Wish::Seeds {
            count,
            from,
            all,
            jobs,
        } => seeds(count, from, all, jobs),
        Wish::Replay(seed, bug) => replay(seed, bug),
        Wish::Bugs(one) => bugs(one),
    };
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(arguments: &[String]) -> Result<Wish, String> {
    let (mut count, mut from, mut all, mut jobs) = (200, 0, false, 1);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().ok_or(format!("{argument} wants a number"))?;
            value
                .parse::<u64>()
                .map_err(|_| format!("`{value}` is no number"))
        };
        match argument.as_str() {
            "--seeds" => count = number()?,
            "--from" => from = number()?,
            "--jobs" => jobs = number()?,
            "--all" => all = true,
            "--replay" => {
                let seed = number()?;
                return Ok(Wish::Replay(seed, arguments.next().map(named).transpose()?));
            }
            "--bugs" => return Ok(Wish::Bugs(arguments.next().map(named).transpose()?)),
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    Ok(Wish::Seeds {
        count,
        from,
        all,
        jobs,
    })
}

fn named(name: &String) -> Result<sim::Bug, String> {
    let mut all = sim::Bug::ALL.into_iter();
    all.find(|bug| format!("{bug:?}") == *name)
        .ok_or(format!("no bug is called `{name}`"))
}

/// What all worlds come to.
#[derive(Debug, Default)]
struct Totals {
    wrongs: u64,
    entries: usize,
    requests: u64,
    deaths: u64,
    lost: u64,
    lasted: Duration,
}

impl Totals {
    /// Adds a world; says whether all was well there.
    fn add(&mut self, outcome: sim::Outcome) -> bool {
        self.entries += outcome.entries;
        self.requests += outcome.requests;
        self.deaths += outcome.deaths;
        self.lost += outcome.lost;
        self.lasted += outcome.lasted;
        let Some(wrong) = outcome.wrong else { return true };
        self.wrongs += 1;
        println!("seed {}: {wrong}", outcome.seed);
        println!(
            "hint: `cargo xtask sim --replay {}` tells its story",
            outcome.seed
        );
        false
    }
}

fn seeds(count: u64, from: u64, all: bool, jobs: u64) -> bool {
    let began = Instant::now();
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let end = from.saturating_add(count);
    let totals = Mutex::new(Totals::default());
    // Each world is on one thread and knows nothing of the others.
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = sim::run(seed, None, false);
                    let well = totals.lock().unwrap_or_else(PoisonError::into_inner).add(outcome);
                    stop.fetch_or(!well && !all, Ordering::Relaxed);
                }
            });
        }
    });
    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    if stop.load(Ordering::Relaxed) {
        return false;
    }
    println!(
        "{count} worlds from seed {from}: {} entries, {} requests, {} lost, {} deaths, {} virtual hours, in {:.1} s; {} \
         wrong",
        totals.entries,
        totals.requests,
        totals.lost,
        totals.deaths,
        totals.lasted.as_secs() / 3600,
        began.elapsed().as_secs_f64(),
        totals.wrongs
    );
    totals.wrongs == 0
}

fn replay(seed: u64, bug: Option<sim::Bug>) -> bool {
    let outcome = sim::run(seed, bug, true);
    match outcome.wrong {
        Some(wrong) => {
            println!("seed {seed}: {wrong}");
            false
        }
        None => {
            println!(
                "seed {seed}: {} entries, {} texts, {} requests, {} lost, {} deaths; nothing wrong",
                outcome.entries, outcome.texts, outcome.requests, outcome.lost, outcome.deaths
            );
            true
        }
    }
}

/// Seeds within which every planted bug is to be found.
const WITHIN: u64 = 2000;

fn bugs(one: Option<sim::Bug>) -> bool {
    let mut missed = 0;
    let planted: Vec<sim::Bug> = sim::Bug::ALL
        .into_iter()
        .filter(|bug| one.is_none_or(|one| one == *bug))
        .collect();
    for bug in &planted {
        let bug = *bug;
        let mut outcomes = (0..WITHIN).map(|seed| sim::run(seed, Some(bug), false));
        match outcomes.find_map(|outcome| Some((outcome.seed, outcome.wrong?))) {
            Some((seed, wrong)) => println!("{bug:?}: seed {seed}: {wrong}"),
            None => {
                missed += 1;
                println!("{bug:?}: not found in {WITHIN} seeds");
            }
        }
    }
    println!("{} bugs planted, {missed} not found", planted.len());
    missed == 0
}
