use axum::Router;
use axum::http::header;
use axum::routing::get;
use bytes::Bytes;

use crate::directory::{DIRECTORY_PATH, Directory};

/// Serves the directory document, to peers and devices alike: it is public (draft-ietf-mimi-protocol-06 §5.1).
pub fn directory_routes(directory: &Directory) -> Router {
    let document = Bytes::from(directory.to_json());
    let answer = move || {
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "max-age=300"),
        ];
        std::future::ready((headers, document.clone()))
    };
    Router::new().route(DIRECTORY_PATH, get(answer))
}
