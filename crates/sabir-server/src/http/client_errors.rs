use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use sabir_wire::client_api::{ApiError, ApiErrorCode};
use sabir_wire::codec::Encode;

use crate::error::Error;

/// The answer as the client API tells it: outside 2xx its body is an [`ApiError`], whichever layer refused.
pub(super) fn told(response: Response) -> Response {
    if response.status().is_success() {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let error = match parts.extensions.get::<Error>() {
        Some(error) => ApiError {
            code: error.api_code(),
            text: error.to_string(),
        },
        None => ApiError {
            code: code_of(parts.status),
            text: String::new(),
        },
    };
    let status = StatusCode::from_u16(error.code.http_status());
    parts.status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    Response::from_parts(parts, Body::from(error.to_bytes()))
}

/// For refusals that are not ours but the router's.
fn code_of(status: StatusCode) -> ApiErrorCode {
    match status {
        StatusCode::NOT_FOUND => ApiErrorCode::NOT_FOUND,
        status if status.is_client_error() => ApiErrorCode::MALFORMED,
        _ => ApiErrorCode::INTERNAL,
    }
}
