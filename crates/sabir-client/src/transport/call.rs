//! One request and its answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use sabir_wire::client_api::{ApiError, ApiErrorCode};
use sabir_wire::codec::Decode as _;
use sabir_wire::uri::Domain;
use tokio::time::timeout;

use super::connection::Live;
use super::{Inner, Transport, TransportError};

/// The longest wait that a provider may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Bytes of an answer that reports an error.
const MAX_ERROR: usize = 16 << 10;

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    body: Bytes,
    max_answer: usize,
    authorized: bool,
    from_byte: u64,
}

/// The body of an answer of status 2xx.
pub type Answer = Bytes;

impl Call {
    /// Posts `body` to `path`; an answer over `max_answer` bytes is refused.
    #[must_use]
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>, max_answer: usize) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            body: body.into(),
            max_answer,
            authorized: true,
            from_byte: 0,
        }
    }

    /// Reads `path`.
    #[must_use]
    pub fn get(path: impl Into<String>, max_answer: usize) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: Bytes::new(),
            max_answer,
            authorized: true,
            from_byte: 0,
        }
    }

    /// Deletes `path`.
    #[must_use]
    pub fn delete(path: impl Into<String>) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(path, MAX_ERROR)
        }
    }

    /// The same request for the bytes from `offset` on.
    #[must_use]
    pub(super) fn beginning_at(mut self, offset: u64) -> Self {
        self.from_byte = offset;
        self
    }

    /// Asks for a tunnel to another provider's directory host.
    pub(super) fn tunnel(domain: &Domain) -> Self {
        Self {
            method: Method::CONNECT,
            path: format!("{domain}:443"),
            body: Bytes::new(),
            max_answer: 0,
            authorized: true,
            from_byte: 0,
        }
    }

    /// The same request without a token.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.authorized = false;
        self
    }
}

impl Transport {
    /// Sends a request and reads its answer. Where it needs a token, it signs in first, and once more when the
    /// token is no longer good.
    ///
    /// # Errors
    /// [`TransportError`]; [`TransportError::verdict`] says what to do.
    pub async fn call(&self, call: &Call) -> Result<Answer, TransportError> {
        let inner = &*self.0;
        if !call.authorized {
            return inner.once(call, None).await;
        }
        let token = inner.token(None).await?;
        match inner.once(call, Some(token.header())).await {
            Err(TransportError::Refused { status: 401, .. }) => {
                let token = inner.token(Some(&token)).await?;
                inner.once(call, Some(token.header())).await
            }
            result => result,
        }
    }
}

impl Inner {
    async fn once(&self, call: &Call, token: Option<HeaderValue>) -> Result<Answer, TransportError> {
        let live = self.live().await?;
        self.once_on(&live, call, token).await
    }

    /// One request on a given connection.
    pub(super) async fn once_on(
        &self,
        live: &Live,
        call: &Call,
        token: Option<HeaderValue>,
    ) -> Result<Answer, TransportError> {
        let result = timeout(self.timing.request, async {
            let response = self.head(live, call, token).await?;
            read_body(response, call.max_answer).await
        })
        .await
        .unwrap_or(Err(TransportError::Timeout));
        if matches!(result, Err(TransportError::Broken(_) | TransportError::Timeout)) {
            self.drop_connection(live).await;
        }
        result
    }

    /// One request, as far as the head of an answer of status 2xx. The caller sets the time.
    pub(super) async fn head(
        &self,
        live: &Live,
        call: &Call,
        token: Option<HeaderValue>,
    ) -> Result<Response<Incoming>, TransportError> {
        // The target of CONNECT is an authority alone (RFC 9113 §8.5).
        let uri = match call.method {
            Method::CONNECT => call.path.clone(),
            _ => format!("https://{}{}", self.domain, call.path),
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(uri)
            .body(Full::new(call.body.clone()))
            .map_err(|error| TransportError::Malformed(error.to_string()))?;
        if let Some(token) = token {
            request.headers_mut().insert(header::AUTHORIZATION, token);
        }
        if call.from_byte > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", call.from_byte));
            let range = range.map_err(|error| TransportError::Malformed(error.to_string()))?;
            request.headers_mut().insert(header::RANGE, range);
        }
        let response = live
            .sender
            .clone()
            .send_request(request)
            .await
            .map_err(TransportError::broken)?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(refusal(response).await)
        }
    }
}

pub(super) async fn read_body(response: Response<Incoming>, max: usize) -> Result<Bytes, TransportError> {
    match Limited::new(response.into_body(), max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(TransportError::Malformed(
            format!("the answer is longer than {max} bytes"),
        )),
        Err(error) => Err(TransportError::Broken(error)),
    }
}

async fn refusal(response: Response<Incoming>) -> TransportError {
    let status = response.status();
    let after = retry_after(response.headers());
    let body = read_body(response, MAX_ERROR).await.ok();
    let error = body.and_then(|body| ApiError::from_bytes(&body).ok());
    if let Some(error) = &error {
        // The text is for developers and names no user.
        tracing::debug!(status = status.as_u16(), code = %error.code, text = error.text, "the provider refused");
    }
    let passing = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    let says_later = error
        .as_ref()
        .is_some_and(|error| matches!(error.code, ApiErrorCode::RATE_LIMITED | ApiErrorCode::UNAVAILABLE));
    if status.is_server_error() || passing || says_later {
        TransportError::Busy {
            status: status.as_u16(),
            after,
        }
    } else {
        TransportError::Refused {
            status: status.as_u16(),
            error,
        }
    }
}

/// `Retry-After` in seconds. Dates are not read: they would need two clocks to agree.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}
