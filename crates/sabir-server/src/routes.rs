//! What is served where.

use std::sync::Arc;

use axum::Router;

use crate::directory::{Directory, Endpoint};
use crate::error::Error;
use crate::http::directory_routes;
use crate::server::Shared;

/// The endpoints for other providers that are served, and therefore announced.
const OFFERED: &[Endpoint] = &[];

/// Every route.
pub fn all(shared: &Arc<Shared>) -> Router {
    let ca = shared.secrets.ca.certificate().to_vec();
    let directory = Directory::ours(&shared.domain, OFFERED, Some(ca));
    directory_routes(&directory)
        .fallback(|| std::future::ready(Error::NoEndpoint))
        .method_not_allowed_fallback(|| std::future::ready(Error::Method))
}
