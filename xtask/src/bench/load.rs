//! Two real providers under load.
//!
//! `sabir-load` of `sabir-testkit` reads the arguments, starts the providers, loads them and prints the figures; this
//! module builds it as it is shipped and starts it.

use std::process::{Command, Stdio};

use crate::repo::Repo;

use super::build;

/// Runs `sabir-load` with these arguments. `Ok(false)`: something was lost, came twice or did not verify, or an argument
/// is none, after it was named.
pub(super) fn run(repo: &Repo, arguments: &[String]) -> Result<bool, String> {
    let folder = build(repo)?;
    let status = Command::new(folder.join("sabir-load"))
        .args(arguments)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("sabir-load: {error}"))?;
    Ok(status.success())
}
