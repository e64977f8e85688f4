//! What is served where.

use std::sync::Arc;

use axum::Router;

use crate::directory::Directory;
use crate::error::Error;
use crate::http::directory_routes;
use crate::server::Shared;
use crate::{client, invite, mimi};

/// Every route.
pub fn all(shared: &Arc<Shared>) -> Router {
    let ca = shared.secrets.ca.certificate().to_vec();
    let directory = Directory::ours(&shared.domain, mimi::OFFERED, Some(ca));
    mimi::routes()
        .merge(client::routes())
        .with_state(Arc::clone(shared))
        .merge(directory_routes(&directory))
        .merge(invite::routes())
        .fallback(|| std::future::ready(Error::NoEndpoint))
        .method_not_allowed_fallback(|| std::future::ready(Error::Method))
}
