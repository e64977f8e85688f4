use std::path::PathBuf;

use thiserror::Error;

/// Why a town does not do what it should.
#[derive(Debug, Error)]
pub enum TownError {
    /// A file or process could not be handled.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A binary is not built.
    #[error("{0} is not built; build it with `cargo build`")]
    NotBuilt(PathBuf),
    /// A certificate could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A command failed.
    #[error("`{command}` ended with {code}: {stderr}")]
    Failed {
        /// The command line.
        command: String,
        /// Its exit code, or "a signal".
        code: String,
        /// What it said on stderr.
        stderr: String,
    },
    /// A command printed something else than the JSON it promises.
    #[error("`{command}` did not print the JSON it promises: {output}")]
    NotJson {
        /// The command line.
        command: String,
        /// What it printed.
        output: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds} seconds; {last}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was seen last.
        last: String,
    },
    /// Something is not as it should be.
    #[error("{0}")]
    Wrong(String),
}

impl TownError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
