//! The simulated world: many seeds, one seed told as a story, or planted bugs.
//!
//! `sabir-sim` of `sabir-testkit` does the work and prints the result; this module builds it and starts it.

use crate::repo::Repo;

/// Runs `sabir-sim` with these arguments. `Ok(false)` is a world in which something was wrong, after it was named.
pub(crate) fn run(arguments: &[String]) -> Result<bool, String> {
    let repo = Repo::find()?;
    let mut simulation = repo.cargo();
    simulation.args([
        "run",
        "--quiet",
        "--package",
        "sabir-testkit",
        "--bin",
        "sabir-sim",
        "--",
    ]);
    let told = simulation.args(arguments).status();
    Ok(told.map_err(|error| format!("cargo: {error}"))?.success())
}
