//! Orders over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::{Order, OrderStore, OrderSummary, PlaceOrder};
use crate::http::{Body, PathParams, Problem, QueryParams};
use crate::ids::OrderId;

/// How many orders a list shows that does not say how many it wants.
const LIST_DEFAULT: u32 = 20;
/// Most orders of a list.
const LIST_MAX: u32 = 100;

/// The routes under `/orders`.
pub fn routes(store: Arc<dyn OrderStore>) -> Router {
    Router::new()
        .route("/orders", get(list).post(place))
        .route("/orders/{id}", get(show))
        .with_state(store)
}

/// `POST /orders`: 201 when the order and its messages are committed. What becomes of it is known later; ask at the
/// Location.
async fn place(
    State(store): State<Arc<dyn OrderStore>>,
    Body(request): Body<PlaceOrder>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Order>), Problem> {
    let errors = request.errors();
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let order = Order::place(request.buyer, request.items);
    store.place(&order).await?;
    let location = [(header::LOCATION, format!("/orders/{}", order.id))];
    Ok((StatusCode::CREATED, location, Json(order)))
}

/// `GET /orders/{id}`
async fn show(
    State(store): State<Arc<dyn OrderStore>>,
    PathParams(id): PathParams<OrderId>,
) -> Result<Json<Order>, Problem> {
    let order = store.find(id).await?;
    order
        .map(Json)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("There is no order {id}.")))
}

#[derive(Debug, Deserialize)]
struct ListParams {
    limit: Option<u32>,
}

/// `GET /orders?limit=`: the newest orders.
async fn list(
    State(store): State<Arc<dyn OrderStore>>,
    QueryParams(params): QueryParams<ListParams>,
) -> Result<Json<Vec<OrderSummary>>, Problem> {
    let limit = params.limit.unwrap_or(LIST_DEFAULT);
    if !(1..=LIST_MAX).contains(&limit) {
        let detail = format!("limit is {limit}, must be 1 to {LIST_MAX}.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    Ok(Json(store.newest(limit).await?))
}
