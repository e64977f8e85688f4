use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{Request, Uri};

use crate::error::Error;

/// Where the router finds CONNECT requests, which name a host and port and no path.
pub const TUNNEL_PATH: &str = "/client/v1/tunnel";

/// The host and port that a CONNECT request names.
#[derive(Debug, Clone)]
pub struct TunnelTarget(pub Authority);

/// Puts the target of a CONNECT aside and a path in its place. Such a request names another host than ours by its
/// nature (RFC 9113 §8.5).
pub(super) fn name_target<B>(request: &mut Request<B>) -> Result<(), Error> {
    const MALFORMED: Error = Error::Malformed("CONNECT");
    let target = request.uri().authority().cloned().ok_or(MALFORMED)?;
    let path = PathAndQuery::from_static(TUNNEL_PATH);
    *request.uri_mut() = Uri::from(path);
    request.extensions_mut().insert(TunnelTarget(target));
    Ok(())
}
