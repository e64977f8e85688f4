//! `cargo xtask test`: every check of the project, one after the other.
//!
//! Every stage runs even when one before it failed, except that nothing which needs a build runs after a build
//! has failed. A stage that is no test run counts as one check. The last line of the output stands alone:
//!
//! ```text
//! N passed, N failed, N skipped
//! ```

mod counts;
mod machine;
mod stages;

use crate::repo::Repo;
use counts::Counts;
use stages::{Outcome, Stage};
use std::time::Instant;

/// What the caller asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Leave out integration tests, doc tests, crosscheck and the demo.
    fast: bool,
}

impl Options {
    /// Reads the arguments after `test`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        match arguments {
            [] => Ok(Self { fast: false }),
            [fast] if fast == "--fast" => Ok(Self { fast: true }),
            [other, ..] => Err(format!(
                "unknown argument `{other}`\nhint: cargo xtask test [--fast]"
            )),
        }
    }
}

/// Runs the stages; `Ok(false)` when anything failed.
pub(crate) fn run(options: &Options) -> Result<bool, String> {
    let repo = Repo::find()?;
    let machine = machine::Machine::prepare(&repo);
    let mut total = Counts::default();
    let mut times = Vec::new();
    let mut build_broke = false;
    for stage in Stage::all(options.fast) {
        println!("--- {}", stage.name());
        let start = Instant::now();
        let outcome = if build_broke && stage.needs_build() {
            Outcome::skipped("the build failed")
        } else {
            stage.run(&repo, &machine)
        };
        if let Some(why) = &outcome.why {
            println!("{}: {why}", stage.name());
        }
        build_broke |= outcome.build_broke;
        total.add(&outcome.counts);
        times.push((stage.name(), start.elapsed().as_secs_f64(), outcome.counts));
    }
    println!("--- seconds per stage");
    for (name, seconds, counts) in &times {
        println!("{seconds:8.1}  {name}: {counts}");
    }
    println!("{total}");
    Ok(total.failed == 0)
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn reads_its_arguments() {
        assert_eq!(Options::parse(&[]), Ok(Options { fast: false }));
        assert_eq!(Options::parse(&["--fast".to_owned()]), Ok(Options { fast: true }));
        assert!(Options::parse(&["--slow".to_owned()]).is_err());
    }
}
