//! Inventory over HTTP: where merchants say what they have.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::{InventoryStore, StockItem};
use crate::http::{Body, FieldError, PathParams, Problem};

/// Most of one article that a merchant can have.
const ON_HAND_MAX: i64 = 1_000_000_000;
/// Most bytes of a merchant's or an article's name, as in an order.
const NAME_MAX: usize = crate::orders::PlaceOrder::NAME_MAX;

/// The routes under `/stock`.
pub fn routes(store: Arc<dyn InventoryStore>) -> Router {
    Router::new()
        .route("/stock/{merchant}/{sku}", get(show).put(put))
        .with_state(store)
}

/// The body of `PUT /stock/{merchant}/{sku}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutStock {
    on_hand: i64,
}

/// `PUT /stock/{merchant}/{sku}`: what the merchant has of it in all, with what is reserved. Sent twice, it changes
/// nothing more.
async fn put(
    State(store): State<Arc<dyn InventoryStore>>,
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
    let item = store.put_stock(&merchant, &sku, on_hand).await?;
    item.map(Json).ok_or_else(|| {
        let detail = format!("More than {on_hand} of {merchant}/{sku} are reserved for orders already.");
        Problem::new(StatusCode::CONFLICT, detail)
    })
}

/// `GET /stock/{merchant}/{sku}`
async fn show(
    State(store): State<Arc<dyn InventoryStore>>,
    PathParams((merchant, sku)): PathParams<(String, String)>,
) -> Result<Json<StockItem>, Problem> {
    let item = store.find_stock(&merchant, &sku).await?;
    item.map(Json).ok_or_else(|| {
        let detail = format!("Merchant {merchant} has no article {sku}.");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}
