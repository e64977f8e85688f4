//! Lives through simulated worlds: `cargo xtask sim`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool talks to the terminal"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use sabir_testkit::sim;

const HELP: &str = "\
usage: cargo xtask sim [--seeds N] [--from S] [--all] | --replay S | --bugs [NAME]

  --seeds N    worlds to live through, 200 unless given
  --from S     the first seed, 0 unless given
  --all        goes on after a world in which something was wrong
  --replay S   tells the story of one world
  --bugs       plants one bug after the other, and says which seed of the first 2,000 finds it; --bugs NAME plants one
";

#[derive(Debug)]
enum Wish {
    Seeds { count: u64, from: u64, all: bool },
    Replay(u64),
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
        Wish::Seeds { count, from, all } => seeds(count, from, all),
        Wish::Replay(seed) => replay(seed),
        Wish::Bugs(one) => bugs(one),
    };
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(arguments: &[String]) -> Result<Wish, String> {
    let (mut count, mut from, mut all) = (200, 0, false);
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
            "--all" => all = true,
            "--replay" => return Ok(Wish::Replay(number()?)),
            "--bugs" => {
                let named = |name: &String| {
                    let mut all = sim::Bug::ALL.into_iter();
                    all.find(|bug| format!("{bug:?}") == *name)
                        .ok_or(format!("no bug is called `{name}`"))
                };
                return Ok(Wish::Bugs(arguments.next().map(named).transpose()?));
            }
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    Ok(Wish::Seeds { count, from, all })
}

fn seeds(count: u64, from: u64, all: bool) -> bool {
    let mut wrongs = 0;
    let began = Instant::now();
    let (mut entries, mut requests, mut deaths, mut lost) = (0, 0, 0, 0);
    let mut lasted = Duration::ZERO;
    for seed in from..from.saturating_add(count) {
        let outcome = sim::run(seed, None, false);
        if let Some(wrong) = outcome.wrong {
            println!("seed {seed}: {wrong}");
            println!("hint: `cargo xtask sim --replay {seed}` tells its story");
            if !all {
                return false;
            }
            wrongs += 1;
        }
        entries += outcome.entries;
        requests += outcome.requests;
        deaths += outcome.deaths;
        lost += outcome.lost;
        lasted += outcome.lasted;
    }
    println!(
        "{count} worlds from seed {from}: {entries} entries, {requests} requests, {lost} lost, {deaths} deaths, {} \
         virtual hours, in {:.1} s; {wrongs} wrong",
        lasted.as_secs() / 3600,
        began.elapsed().as_secs_f64()
    );
    wrongs == 0
}

fn replay(seed: u64) -> bool {
    let outcome = sim::run(seed, None, true);
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
