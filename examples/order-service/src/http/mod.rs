//! The HTTP side: the router, and what all handlers share. The handlers themselves are with their module.

mod health;
mod json;
mod openapi;
mod problem;
mod tracing;

pub use health::Readiness;
pub use json::{Body, PathParams, QueryParams, parse};
pub use problem::{FieldError, Problem};

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::playground::{self, Playground};
use crate::role::{Role, Roles};
use crate::{inventory, loyalty, orders, web};

/// Most bytes of a request's body: the largest order that is allowed has less than half of it.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The routes of these roles. `closing` is cancelled when the service stops, for answers that have no end by themselves.
pub fn router(
    backend: &Backend,
    roles: &Roles,
    playground: Option<Playground>,
    readiness: Readiness,
    closing: CancellationToken,
) -> Router {
    let mut router = Router::new()
        .merge(health::routes(readiness))
        .merge(openapi::routes(roles, playground.is_some()));
    if roles.contains(&Role::Orders) {
        router = router
            .merge(orders::routes(
                Arc::clone(&backend.orders),
                Arc::clone(&backend.journal),
            ))
            .merge(web::routes(backend.clone(), playground.clone(), closing));
    }
    if roles.contains(&Role::Inventory) {
        router = router.merge(inventory::routes(Arc::clone(&backend.warehouse)));
    }
    if roles.contains(&Role::Loyalty) {
        router = router.merge(loyalty::routes(Arc::clone(&backend.accounts)));
    }
    if let Some(playground) = playground {
        router = router.merge(playground::routes(playground, Arc::clone(&backend.dead_letters)));
    }
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(tracing::trace))
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
