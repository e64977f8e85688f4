use std::path::PathBuf;

use sabir_wire::uri::UriError;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, or a value of the wrong type; the source has line and column.
    #[error("the configuration is malformed: {0}")]
    Syntax(Box<toml::de::Error>),
    /// A key that does not exist.
    #[error("unknown key `{key}`{}", hint(.nearest.as_ref()))]
    UnknownKey {
        /// The key with its section.
        key: String,
        /// The known key that is most like it, where one is.
        nearest: Option<String>,
    },
    /// `domain` is missing.
    #[error("`domain` is not set; it is the only key that must be")]
    NoDomain,
    /// A domain is not a lower-case host name.
    #[error("`{key}` is not a domain: {source}")]
    Domain {
        /// The key.
        key: String,
        /// What is wrong with it.
        source: UriError,
    },
    /// A bound that would refuse everything.
    #[error("`{0}` must not be 0")]
    Zero(&'static str),
    /// A bound below what another provider may have to send in one request, which would never get through.
    #[error(
        "`{key}` must be at least {least}: a smaller one would refuse what rooms of other providers need"
    )]
    TooLow {
        /// The key.
        key: &'static str,
        /// The smallest value, in bytes.
        least: usize,
    },
}

fn hint(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |key| format!("; did you mean `{key}`?"))
}
