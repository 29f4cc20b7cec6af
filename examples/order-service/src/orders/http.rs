//! Orders over HTTP.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

use super::{Order, OrderDesk, OrderSummary, Pay, PlaceOrder, RequestRefund};
use crate::http::{PathParams, Problem, QueryParams};
use crate::ids::{OrderId, SubOrderId};
use crate::journal::{Journal, Step};

/// How many orders a list shows that does not say how many it wants.
const LIST_DEFAULT: u32 = 20;
/// Most orders of a list.
const LIST_MAX: u32 = 100;

/// The operations of this module, for the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(list, place, show, messages, pay, refund))]
pub struct Routes;

#[derive(Clone)]
struct Desk {
    orders: Arc<dyn OrderDesk>,
    journal: Arc<dyn Journal>,
}

/// The routes under `/orders`.
pub fn routes(orders: Arc<dyn OrderDesk>, journal: Arc<dyn Journal>) -> Router {
    Router::new()
        .route("/orders", get(list).post(place))
        .route("/orders/{id}", get(show))
        .route("/orders/{id}/messages", get(messages))
        .route("/orders/{id}/payment", post(pay))
        .route("/orders/{id}/sub-orders/{sub_order_id}/refunds", post(refund))
        .with_state(Desk { orders, journal })
}

/// Places an order.
///
/// 201 when the order and its messages are committed. What becomes of it is known later; ask at the Location.
#[utoipa::path(post, path = "/orders", tag = "orders", request_body = PlaceOrder,
    params(("Idempotency-Key" = Option<String>, Header, description = "Sent again with the same key, the request is answered as it was the first time")),
    responses(
        (status = 201, body = Order, description = "Committed, with its messages"),
        (status = 400, body = Problem), (status = 409, body = Problem, description = "The same key is being carried out"),
        (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem, description = "Not an order, or the key came with another body before"),
        (status = 503, body = Problem)))]
async fn place(State(desk): State<Desk>, request: Request<Body>) -> Response {
    desk.orders.place(request).await
}

/// Pays an order whose stock is set aside.
///
/// 202: payment is asked to capture the amount, once. Whether it could is known later.
#[utoipa::path(post, path = "/orders/{id}/payment", tag = "orders", request_body = Pay,
    params(("id" = OrderId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 202, body = Order), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "It is not to be paid, or not any more"),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn pay(
    State(desk): State<Desk>,
    PathParams(id): PathParams<OrderId>,
    request: Request<Body>,
) -> Response {
    desk.orders.pay(id, request).await
}

/// Gives money back for one sub-order, at most what was paid for it.
#[utoipa::path(post, path = "/orders/{id}/sub-orders/{sub_order_id}/refunds", tag = "orders", request_body = RequestRefund,
    params(("id" = OrderId, Path), ("sub_order_id" = SubOrderId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses(
        (status = 202, body = Order), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "Nothing was paid for it, or not so much is left"),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
async fn refund(
    State(desk): State<Desk>,
    PathParams((id, sub_order_id)): PathParams<(OrderId, SubOrderId)>,
    request: Request<Body>,
) -> Response {
    desk.orders.refund(id, sub_order_id, request).await
}

/// Shows an order.
#[utoipa::path(get, path = "/orders/{id}", tag = "orders", params(("id" = OrderId, Path)),
    responses((status = 200, body = Order), (status = 404, body = Problem)))]
async fn show(State(desk): State<Desk>, PathParams(id): PathParams<OrderId>) -> Result<Json<Order>, Problem> {
    let order = desk.orders.find(id).await?;
    order.map(Json).ok_or_else(|| no_order(id))
}

/// The journey of each of the order's messages.
///
/// Committed, delivered, handled by whom and at which attempt, confirmed; in the order in which they were sent.
#[utoipa::path(get, path = "/orders/{id}/messages", tag = "orders", params(("id" = OrderId, Path)),
    responses((status = 200, body = Vec<Step>), (status = 404, body = Problem)))]
async fn messages(
    State(desk): State<Desk>,
    PathParams(id): PathParams<OrderId>,
) -> Result<Json<Vec<Step>>, Problem> {
    let steps = desk.journal.of_order(id).await?;
    // An order that was placed has sent something.
    if steps.is_empty() {
        return Err(no_order(id));
    }
    Ok(Json(steps))
}

fn no_order(id: OrderId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("There is no order {id}."))
}

#[derive(Debug, Deserialize, IntoParams)]
struct ListParams {
    /// How many, 1 to 100; 20 unless it is said.
    limit: Option<u32>,
}

/// The newest orders.
#[utoipa::path(get, path = "/orders", tag = "orders", params(ListParams),
    responses((status = 200, body = Vec<OrderSummary>), (status = 400, body = Problem)))]
async fn list(
    State(desk): State<Desk>,
    QueryParams(params): QueryParams<ListParams>,
) -> Result<Json<Vec<OrderSummary>>, Problem> {
    let limit = params.limit.unwrap_or(LIST_DEFAULT);
    if !(1..=LIST_MAX).contains(&limit) {
        let detail = format!("limit is {limit}, must be 1 to {LIST_MAX}.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    Ok(Json(desk.orders.newest(limit).await?))
}
