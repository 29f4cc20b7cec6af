//! `GET /openapi.json`: what this process can be asked, as an OpenAPI 3.1 document.

use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::role::{Role, Roles};
use crate::{inventory, loyalty, orders, playground};

#[derive(OpenApi)]
#[openapi(info(
    title = "order-service",
    description = "Main orders with a sub-order per merchant. Amounts are in cents. Errors are problem details (RFC 9457)."
))]
struct Head;

/// The document of these roles.
fn document(roles: &Roles, playground: bool) -> Document {
    let mut document = Head::openapi();
    if roles.contains(&Role::Orders) {
        document.merge(orders::Routes::openapi());
    }
    if roles.contains(&Role::Inventory) {
        document.merge(inventory::Routes::openapi());
    }
    if roles.contains(&Role::Loyalty) {
        document.merge(loyalty::Routes::openapi());
    }
    if playground {
        document.merge(playground::Routes::openapi());
    }
    document
}

pub(super) fn routes(roles: &Roles, playground: bool) -> Router {
    let document = document(roles, playground);
    Router::new().route("/openapi.json", get(move || async move { Json(document) }))
}
