//! Loyalty points over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;

use super::{Account, Accounts};
use crate::http::{PathParams, Problem};

/// The operations of this module, for the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(show))]
pub struct Routes;

/// The route under `/loyalty`.
pub fn routes(accounts: Arc<dyn Accounts>) -> Router {
    Router::new()
        .route("/loyalty/{buyer}", get(show))
        .with_state(accounts)
}

/// A buyer's points.
#[utoipa::path(get, path = "/loyalty/{buyer}", tag = "loyalty", params(("buyer" = String, Path)),
    responses((status = 200, body = Account)))]
async fn show(
    State(accounts): State<Arc<dyn Accounts>>,
    PathParams(buyer): PathParams<String>,
) -> Result<Json<Account>, Problem> {
    Ok(Json(accounts.find(&buyer).await?))
}
