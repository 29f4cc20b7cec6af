//! The page: what happens to orders and messages, live, rendered here. It goes through the same doors as the API.
//!
//! In reading order: what there is to buy (`shop`); what is shown (`home`, `order`, in the words of `words`); what
//! can be done (`actions`, answered as `answer` says); how the page learns that something has changed (`live`); who
//! may ask for a change (`same_origin`); and what it is served with (`assets`).

mod actions;
mod answer;
mod assets;
mod form;
mod home;
mod live;
mod order;
mod same_origin;
mod shop;
mod words;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::playground::Playground;
use live::Live;

/// Scripts, styles and events of this service and of nobody else; no page of others may hold this one in a frame.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What all handlers of the page share.
#[derive(Clone)]
struct Site {
    backend: Backend,
    playground: Option<Playground>,
    live: Live,
}

/// The routes of the page. What lets things go wrong is there only with a playground. Streams of events end when `closing`
/// is cancelled.
pub fn routes(backend: Backend, playground: Option<Playground>, closing: CancellationToken) -> Router {
    let mut changes = Router::new()
        .route("/ui/orders", post(actions::orders::place))
        .route("/ui/orders/{id}/payment", post(actions::orders::pay))
        .route(
            "/ui/orders/{id}/sub-orders/{sub_order_id}/refunds",
            post(actions::orders::refund),
        )
        .route("/ui/stock", post(actions::stock::fill))
        .route("/ui/stock/empty", post(actions::stock::empty));
    if playground.is_some() {
        changes = changes
            .route("/ui/faults", post(actions::faults::plan))
            .route("/ui/consumers", post(actions::faults::set_consumer))
            .route("/ui/deliver-again", post(actions::faults::deliver_again))
            .route("/ui/dead-letters/redrive", post(actions::dead_letters::redrive))
            .route(
                "/ui/dead-letters/redrive-all",
                post(actions::dead_letters::redrive_all),
            )
            .route("/ui/dead-letters/discard", post(actions::dead_letters::discard));
    }
    let site = Site {
        live: Live::new(&backend, playground.as_ref(), closing),
        backend,
        playground,
    };
    Router::new()
        .route("/", get(home::page))
        .route("/ui/home", get(home::part))
        .route("/ui/orders/{id}", get(order::page))
        .route("/ui/orders/{id}/part", get(order::part))
        .route("/ui/events", get(live::events))
        .merge(changes.layer(from_fn(same_origin::only)))
        .with_state(site)
        .merge(assets::routes())
        .layer(from_fn(secured))
}

/// Tells the browser what the page may do: nothing that it doesn't need.
async fn secured(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    response
}
