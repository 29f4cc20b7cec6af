//! The page.

use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::playground::Playground;

/// The routes of the page.
pub fn routes(_backend: Backend, _playground: Option<Playground>, _closing: CancellationToken) -> Router {
    Router::new()
}
