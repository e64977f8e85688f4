//! Measurements on this machine: real processes, built as they are shipped.
//!
//! Each kind is a module of its own. They print figures on standard output and everything else on standard error, so
//! that `--json` can be read by programs.

mod hub;
mod load;
mod peers;

use std::path::PathBuf;

use crate::repo::Repo;

const USAGE: &str = "hint: cargo xtask bench load [--workload 1to1|low|group] [--secs N] [--json] | cargo xtask bench peers \
                     [--secs N] [--rounds N] [--json] | cargo xtask bench hub [--members N] [--json]";

/// Runs the measurement that the first argument names. `Ok(false)` is one that found something wrong.
pub(crate) fn run(arguments: &[String]) -> Result<bool, String> {
    match arguments.split_first() {
        Some((what, rest)) if what == "load" => load::run(&Repo::find()?, rest),
        Some((what, rest)) if what == "peers" => peers::run(&Repo::find()?, &peers::Options::parse(rest)?),
        Some((what, rest)) if what == "hub" => hub::run(&Repo::find()?, &hub::Options::parse(rest)?),
        Some((other, _)) => Err(format!("unknown measurement `{other}`\n{USAGE}")),
        None => Err(format!("which measurement?\n{USAGE}")),
    }
}

/// Builds the provider and the load tool as they are shipped; gives the folder that they are in.
fn build(repo: &Repo) -> Result<PathBuf, String> {
    build_with(repo, &[])
}

/// As [`build`], with more programs of `sabir-testkit`.
fn build_with(repo: &Repo, more: &[&str]) -> Result<PathBuf, String> {
    eprintln!("building the release programs (the first time takes some minutes)");
    let mut build = repo.cargo();
    build.args(["build", "--release", "--quiet", "--locked"]);
    build.args(["--package", "sabir-server", "--bin", "sabird"]);
    build.args(["--package", "sabir-testkit", "--bin", "sabir-load"]);
    for program in more {
        build.args(["--bin", program]);
    }
    // Cargo says here where it put them, whatever the configuration.
    build.arg("--message-format=json-render-diagnostics");
    let built = build
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !built.status.success() {
        return Err("the programs do not build".to_owned());
    }
    folder_of("sabir-load", &String::from_utf8_lossy(&built.stdout))
        .ok_or_else(|| "cargo does not say where the programs are".to_owned())
}

/// The folder of an executable that cargo reported.
fn folder_of(program: &str, messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .find(|path| path.file_stem().is_some_and(|stem| stem == program))
        .and_then(|path| path.parent().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_built() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
            not json\n\
            {\"executable\":\"/t/release/sabird\"}\n\
            {\"executable\":\"/t/release/sabir-load\"}\n";
        assert_eq!(
            folder_of("sabir-load", messages),
            Some(PathBuf::from("/t/release"))
        );
        assert_eq!(folder_of("other", messages), None);
    }

    #[test]
    fn names_what_it_does_not_know() {
        assert!(run(&[]).is_err());
        assert!(run(&["peer".to_owned()]).is_err());
    }
}
