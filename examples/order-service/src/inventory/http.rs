//! Inventory over HTTP: where merchants say what they have.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::{StockItem, Warehouse};
use crate::http::{Body, FieldError, PathParams, Problem};

/// Most of one article that a merchant can have.
const ON_HAND_MAX: i64 = 1_000_000_000;
/// Most bytes of a merchant's or an article's name, as in an order.
const NAME_MAX: usize = crate::orders::PlaceOrder::NAME_MAX;

/// The operations of this module, for the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(show, put))]
pub struct Routes;

/// The routes under `/stock`.
pub fn routes(warehouse: Arc<dyn Warehouse>) -> Router {
    Router::new()
        .route("/stock/{merchant}/{sku}", get(show).put(put))
        .with_state(warehouse)
}

/// The body of `PUT /stock/{merchant}/{sku}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutStock {
    /// What lies in the warehouse, with what is reserved of it.
    on_hand: i64,
}

/// Says what a merchant has of an article.
///
/// In all, with what is reserved. Sent twice, it changes nothing more.
#[utoipa::path(put, path = "/stock/{merchant}/{sku}", tag = "inventory", request_body = PutStock,
    params(("merchant" = String, Path), ("sku" = String, Path)),
    responses(
        (status = 200, body = StockItem), (status = 400, body = Problem),
        (status = 409, body = Problem, description = "More than that is reserved"),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn put(
    State(warehouse): State<Arc<dyn Warehouse>>,
    PathParams((merchant, sku)): PathParams<(String, String)>,
    Body(PutStock { on_hand }): Body<PutStock>,
) -> Result<Json<StockItem>, Problem> {
    if !(0..=ON_HAND_MAX).contains(&on_hand) {
        let detail = format!("is {on_hand}, must be 0 to {ON_HAND_MAX}");
        return Err(Problem::invalid(vec![FieldError::new("/on_hand", detail)]));
    }
    for name in [&merchant, &sku] {
        if name.len() > NAME_MAX || name.chars().any(char::is_control) {
            let detail =
                format!("Merchants and articles have at most {NAME_MAX} bytes and no control characters.");
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
    }
    let item = warehouse.put_stock(&merchant, &sku, on_hand).await?;
    item.map(Json).ok_or_else(|| {
        let detail = format!("More than {on_hand} of {merchant}/{sku} are reserved for orders already.");
        Problem::new(StatusCode::CONFLICT, detail)
    })
}

/// What a merchant has of an article.
#[utoipa::path(get, path = "/stock/{merchant}/{sku}", tag = "inventory",
    params(("merchant" = String, Path), ("sku" = String, Path)),
    responses((status = 200, body = StockItem), (status = 404, body = Problem)))]
async fn show(
    State(warehouse): State<Arc<dyn Warehouse>>,
    PathParams((merchant, sku)): PathParams<(String, String)>,
) -> Result<Json<StockItem>, Problem> {
    let item = warehouse.find_stock(&merchant, &sku).await?;
    item.map(Json).ok_or_else(|| {
        let detail = format!("Merchant {merchant} has no article {sku}.");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}
