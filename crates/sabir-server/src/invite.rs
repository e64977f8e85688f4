//! Invite tokens: what a person copies into a client to make an account.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use sabir_store::Hash;

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
