//! Invites: a token that makes an account, in a link that a person gives to a client.

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::http::header;
use axum::routing::get;
use data_encoding::BASE64URL_NOPAD;
use sabir_store::Hash;
use sabir_wire::uri::Domain;

use crate::error::Error;

/// Makes a token: 128 random bits as 22 characters. Its bytes in the client API are those of this text.
///
/// # Errors
/// [`Error::Internal`] when the system has no randomness to give.
pub fn new_token() -> Result<String, Error> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Error::Internal("no randomness"))?;
    Ok(BASE64URL_NOPAD.encode(&random))
}

/// What the store keeps of a token.
///
/// # Errors
/// [`Error::Internal`] never in practice: SHA-256 has 32 bytes.
pub fn token_hash(token: &[u8]) -> Result<Hash, Error> {
    digest(&SHA256, token)
        .as_ref()
        .try_into()
        .map_err(|_| Error::Internal("hash length"))
}

/// The link of a token.
#[must_use]
pub fn link(domain: &Domain, token: &str) -> String {
    format!("https://{domain}/invite/{token}")
}

/// What a browser is told that follows such a link.
pub fn routes() -> Router {
    const PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Invitation</title>\
        <p>This is an invitation to make an account. Copy the address of this page, and give it to your client:\
        <pre>sabir account create LINK</pre></html>";
    let answer = || {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        std::future::ready((headers, PAGE))
    };
    Router::new().route("/invite/{token}", get(answer))
}
