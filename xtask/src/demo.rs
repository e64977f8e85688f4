//! The demo: two providers and two people on this machine, playing a conversation.
//!
//! The story itself arrives with the binaries it runs. Until [`READY`] is true, `cargo xtask demo` refuses
//! and says so, `cargo xtask test` leaves it out, and the help does not mention it.

use crate::repo::Repo;

/// Whether there is a story to play.
pub(crate) const READY: bool = false;

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
    if !READY {
        return Err("there is no demo yet: the programs it would run are still being built".to_owned());
    }
    let _repo = Repo::find()?;
    Ok(options.exit)
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
