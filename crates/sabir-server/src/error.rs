//! What a request can fail with, and how that is told.
//!
//! Handlers return [`Error`]; [`Error::status`] is the one place that maps it to HTTP. Under `/mimi` the body is
//! one line of text; under `/client` the listener turns the same error into that API's structure.
//!
//! Invariant: each refusal is one record in the log, `request refused` with its code and reason. An [`Error`] is logged
//! by the listener when its answer leaves, so what is known besides travels in it ([`Error::because`]) and is no record
//! of its own. A refusal that is an answer of the protocol, with status 200, is logged by [`log_refused`] where it is
//! given. Nothing here holds user data above DEBUG.

use std::fmt::Debug;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sabir_store::StoreError;
use sabir_wire::client_api::ApiErrorCode;

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // Malformed
    /// The request cannot be read; names the part.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// There is no such endpoint.
    #[error("no such endpoint")]
    NoEndpoint,
    /// The endpoint exists, the method does not.
    #[error("the method is not allowed here")]
    Method,
    /// The body is larger than the endpoint takes.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// The body says that it is something else than the endpoint takes.
    #[error("the body's content type is not one that is taken here")]
    ContentType,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    BodyTooSlow,

    // Denied
    /// The request is for another provider.
    #[error("this is not the provider that the request names")]
    WrongHost,
    /// The connection has no verified certificate of a provider.
    #[error("a provider's certificate is needed here")]
    NoCertificate,
    /// `From` names a domain that the certificate does not.
    #[error("the From header names a domain that the certificate does not")]
    NotThePeer,
    /// The peer may not say this, whatever its name.
    #[error("this provider may not send this: {0}")]
    WrongAuthority(&'static str),
    /// No token, or not one that counts.
    #[error("a valid token is needed here")]
    Unauthenticated,
    /// The token was good; the device signs in again.
    #[error("the token has expired")]
    TokenExpired,
    /// The caller is known and may not.
    #[error("not allowed: {0}")]
    Denied(&'static str),

    // State
    /// What the request names is not here.
    #[error("not found: {0}")]
    NotFound(&'static str),
    /// It contradicts what is here.
    #[error("conflict: {0}")]
    Conflict(&'static str),

    /// The range does not begin within the file.
    #[error("the range does not begin within the file")]
    Range,

    // Capacity
    /// Too many requests of this caller.
    #[error("too many requests")]
    TooMany {
        /// When to come back.
        retry_after: Duration,
    },
    /// The server cannot serve it now; the request may be repeated byte for byte.
    #[error("temporarily unavailable: {what}")]
    Unavailable {
        /// What is.
        what: &'static str,
        /// When to come back.
        retry_after: Duration,
    },
    /// Another provider that is needed cannot be reached or does not make sense.
    #[error("the other provider did not answer: {0}")]
    Upstream(&'static str),

    // Bug
    /// Our fault.
    #[error("internal error")]
    Internal(&'static str),

    /// One of the above, and what led to it, which only the log is told.
    #[error("{error}")]
    Caused {
        /// What is answered.
        error: Box<Error>,
        /// What led to it.
        cause: String,
    },
}

/// What the log calls a refusal.
pub(crate) const REFUSED: &str = "request refused";
/// What is unavailable when the store fails.
const STORAGE: &str = "storage";

impl Error {
    /// The HTTP status that tells it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NoEndpoint | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::NoCertificate | Self::NotThePeer | Self::WrongAuthority(_) | Self::Denied(_) => {
                StatusCode::FORBIDDEN
            }
            Self::Unauthenticated | Self::TokenExpired => StatusCode::UNAUTHORIZED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Range => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upstream(_) => StatusCode::BAD_GATEWAY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Caused { error, .. } => error.status(),
        }
    }

    /// The code that tells it in the client API, which has its own status for each.
    #[must_use]
    pub fn api_code(&self) -> ApiErrorCode {
        match self {
            Self::Malformed(_) | Self::Method | Self::ContentType => ApiErrorCode::MALFORMED,
            Self::NoEndpoint | Self::NotFound(_) | Self::WrongHost => ApiErrorCode::NOT_FOUND,
            Self::BodyTooLarge { .. } => ApiErrorCode::TOO_LARGE,
            Self::NoCertificate | Self::NotThePeer | Self::WrongAuthority(_) | Self::Denied(_) => {
                ApiErrorCode::FORBIDDEN
            }
            Self::Unauthenticated => ApiErrorCode::UNAUTHORIZED,
            Self::TokenExpired => ApiErrorCode::TOKEN_EXPIRED,
            Self::Conflict(_) => ApiErrorCode::CONFLICT,
            Self::Range => ApiErrorCode::RANGE,
            Self::TooMany { .. } => ApiErrorCode::RATE_LIMITED,
            Self::BodyTooSlow | Self::Unavailable { .. } | Self::Upstream(_) => ApiErrorCode::UNAVAILABLE,
            Self::Internal(_) => ApiErrorCode::INTERNAL,
            Self::Caused { error, .. } => error.api_code(),
        }
    }

    /// When the caller may try again, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            Self::Caused { error, .. } => error.retry_after(),
            _ => None,
        }
    }

    /// This error with what led to it, for the log.
    #[must_use]
    pub fn because(self, cause: impl ToString) -> Self {
        Self::Caused {
            error: Box::new(self),
            cause: cause.to_string(),
        }
    }

    /// Says in the log that `what` happened, with an HTTP status: our bugs at ERROR, a failing store at WARN, the rest
    /// at DEBUG.
    pub(crate) fn log(&self, code: StatusCode, what: &'static str) {
        let code = code.as_u16();
        let (error, cause) = match self {
            Self::Caused { error, cause } => (&**error, Some(cause)),
            error => (error, None),
        };
        match error {
            Self::Internal(reason) => tracing::error!(code, reason, cause, "{what}"),
            Self::Unavailable { what: STORAGE, .. } => tracing::warn!(code, reason = %error, cause, "{what}"),
            error => tracing::debug!(code, reason = %error, cause, "{what}"),
        }
    }
}

/// Says in the log that a request was refused by an answer of the protocol: `what` was, with `code`.
pub(crate) fn log_refused(what: &'static str, code: impl Debug, cause: Option<&str>) {
    tracing::debug!(?code, reason = what, cause, "{REFUSED}");
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let told = match error {
            StoreError::Unavailable { .. } | StoreError::Conflict { .. } => Self::Unavailable {
                what: STORAGE,
                retry_after: Duration::from_secs(1),
            },
            _ => Self::Internal("the store is damaged or misused"),
        };
        match std::error::Error::source(&error) {
            Some(source) => told.because(format!("{error}: {source}")),
            None => told.because(error),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if let Some(wait) = self.retry_after() {
            let seconds = wait.as_secs().max(1);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The listener finds it here, logs it, and writes another body where the client API answers.
        response.extensions_mut().insert(self);
        response
    }
}
