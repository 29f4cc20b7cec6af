//! The HTTP side: the router, and what all handlers share. The handlers themselves are with their module.

mod health;
mod json;
mod problem;

pub use health::Readiness;
pub use json::{Body, PathParams, QueryParams};
pub use problem::{FieldError, Problem};

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};

use crate::inventory::{self, InventoryStore};
use crate::orders::{self, OrderStore};

/// Most bytes of a request's body: the largest order that is allowed has less than half of it.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Every route of the service. Where a module is moved to a process of its own, its line moves with it.
pub fn router(
    orders: Arc<dyn OrderStore>,
    inventory: Arc<dyn InventoryStore>,
    readiness: Readiness,
) -> Router {
    Router::new()
        .merge(orders::routes(orders))
        .merge(inventory::routes(inventory))
        .merge(health::routes(readiness))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("There is nothing at {}.", uri.path()),
    )
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}.", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
