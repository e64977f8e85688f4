use std::sync::Arc;

use crate::directory::DirectoryError;

/// Why another provider gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Its host has no address that we may connect to.
    #[error("the host has no usable address")]
    NoAddress,
    /// No connection, or it broke.
    #[error("connection failed")]
    Connection(#[source] std::io::Error),
    /// It broke within HTTP.
    #[error("http failed")]
    Http(#[source] hyper::Error),
    /// It does not speak HTTP/2.
    #[error("the peer does not speak h2")]
    NoH2,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer is larger than we read.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer's body broke off.
    #[error("the answer broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The directory was not served; holds the HTTP status.
    #[error("the directory was answered with status {0}")]
    NoDirectory(u16),
    /// The directory was malformed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The directory does not offer the endpoint.
    #[error("the provider offers no `{0}`")]
    NoEndpoint(&'static str),
    /// The directory does not announce this URL.
    #[error("the provider does not announce this URL")]
    NotAnnounced,
    /// A URL cannot be made of this segment.
    #[error("the segment is not percent-encoded")]
    BadSegment,
    /// Its directory could not be fetched, for whoever asks at this time.
    #[error("the directory cannot be had: {0}")]
    Lately(#[source] Arc<PeerError>),
}

impl PeerError {
    /// What happened, whoever it happened to.
    #[must_use]
    pub fn root(&self) -> &Self {
        match self {
            Self::Lately(error) => error.root(),
            error => error,
        }
    }

    pub(super) fn of_body(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        if error.is::<http_body_util::LengthLimitError>() {
            Self::TooLarge
        } else {
            Self::Body(error)
        }
    }
}
