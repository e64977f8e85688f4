//! The demo: providers and people on this machine, playing a conversation.
//!
//! The story is told by `sabir-demo` of `sabir-testkit`, which runs the programs people run. This module builds
//! them and starts it.

use std::process::{Command, Stdio};

use crate::repo::Repo;

/// What the story needs.
const PACKAGES: &[&str] = &["sabir-server", "sabir", "sabir-testkit"];

/// What the caller asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// End after the story, instead of keeping the providers up.
    pub(crate) exit: bool,
}

impl Options {
    /// Reads the arguments after `demo`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { exit: false };
        for argument in arguments {
            match argument.as_str() {
                "--exit" => options.exit = true,
                other => {
                    return Err(format!(
                        "unknown argument `{other}`\nhint: cargo xtask demo [--exit]"
                    ));
                }
            }
        }
        Ok(options)
    }
}

/// Plays the story. `Ok(false)` is a story that failed, after its step was named.
pub(crate) fn run(options: &Options) -> Result<bool, String> {
    let repo = Repo::find()?;
    println!("building the provider and the client (the first time takes some minutes)");
    let mut build = repo.cargo();
    build.args(["build", "--quiet", "--bins"]);
    for package in PACKAGES {
        build.args(["--package", package]);
    }
    let built = build.status().map_err(|error| format!("cargo: {error}"))?;
    if !built.success() {
        return Err("the programs do not build".to_owned());
    }
    play(options.exit)
}

/// Plays the story with the programs as they are built.
pub(crate) fn play(exit: bool) -> Result<bool, String> {
    let own = std::env::current_exe().map_err(|error| format!("finding the built programs: {error}"))?;
    let program = own.with_file_name("sabir-demo");
    let mut story = Command::new(&program);
    if exit {
        story.arg("--exit").stdin(Stdio::null());
    }
    let told = story
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(told.success())
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn reads_its_arguments() {
        assert_eq!(Options::parse(&[]), Ok(Options { exit: false }));
        assert_eq!(Options::parse(&["--exit".to_owned()]), Ok(Options { exit: true }));
        assert!(Options::parse(&["--stay".to_owned()]).is_err());
    }
}
