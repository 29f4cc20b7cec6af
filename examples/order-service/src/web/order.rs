//! The page of one order, with the journeys of its messages.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::Site;
use super::answer::{self, Head, Htmx};
use super::words::{self, Chip, Part, clock, money, short, span};
use crate::http::Problem;
use crate::ids::OrderId;
use crate::journal::{Handling, Step, StepState};
use crate::orders::{Order, OrderState};

#[derive(Template)]
#[template(path = "order.html")]
struct Page {
    head: Head,
    order: View,
}

#[derive(Template)]
#[template(path = "order_part.html")]
struct OrderPart {
    order: View,
}

struct View {
    id: OrderId,
    short: String,
    buyer: String,
    chip: Chip,
    reason: Option<String>,
    all_or_nothing: bool,
    placed_amount: String,
    amount: String,
    captured: String,
    refunded: Option<String>,
    /// The key of the form to pay, while it is to be paid. It is the same until payment has answered, so that a form that is
    /// sent twice pays once.
    pay_key: Option<String>,
    parts: Vec<Part>,
    steps: Vec<StepView>,
    summary: String,
}

struct StepView {
    id: Uuid,
    name: String,
    topic: String,
    about: String,
    chip: Chip,
    /// How many of four stages are behind it: sent, delivered, handled, confirmed.
    stage: u8,
    sent_at: String,
    sent_after: String,
    delivered_after: Option<String>,
    handled: Vec<HandledView>,
    missing: String,
    resends: u32,
    error: Option<String>,
    trace_id: Option<String>,
}

struct HandledView {
    group: String,
    attempt: u32,
    after: String,
    confirmed_after: Option<String>,
}

/// `GET /ui/orders/{id}`.
pub(super) async fn page(State(site): State<Site>, Path(id): Path<String>, htmx: Htmx) -> Response {
    match View::read(&site, &id).await {
        Ok(order) => {
            let head = Head::new(format!("Order {}", order.short));
            answer::html(StatusCode::OK, &Page { head, order })
        }
        Err(problem) => answer::refused(htmx, &problem),
    }
}

/// `GET /ui/orders/{id}/part`: what changes of it.
pub(super) async fn part(State(site): State<Site>, Path(id): Path<String>, htmx: Htmx) -> Response {
    match View::read(&site, &id).await {
        Ok(order) => answer::html(StatusCode::OK, &OrderPart { order }),
        Err(problem) => answer::refused(htmx, &problem),
    }
}

impl View {
    async fn read(site: &Site, id: &str) -> Result<Self, Problem> {
        let none = || Problem::new(StatusCode::NOT_FOUND, format!("There is no order {id}."));
        let id = OrderId(id.parse().map_err(|_| none())?);
        let order = site.backend.orders.find(id).await?.ok_or_else(none)?;
        Ok(Self::new(order, site.backend.journal.of_order(id).await?))
    }

    fn new(order: Order, steps: Vec<Step>) -> Self {
        let begin = steps.first().map_or(0, |step| step.sent_at);
        let steps: Vec<_> = steps
            .into_iter()
            .map(|step| StepView::new(step, &order, begin))
            .collect();
        let pay_key = || {
            let last = order.payment_id.map_or(Uuid::nil(), |payment| payment.0);
            format!("page-pay-{}-{last}", order.id)
        };
        let chip = words::of_order(order.state);
        Self {
            id: order.id,
            short: short(order.id),
            chip,
            all_or_nothing: order.all_or_nothing,
            placed_amount: money(order.placed_amount),
            amount: money(order.amount),
            captured: money(order.captured_amount),
            refunded: (order.refunded_amount > 0).then(|| money(order.refunded_amount)),
            pay_key: (order.state == OrderState::AwaitingPayment).then(pay_key),
            summary: format!("The order is {}.", chip.word),
            buyer: order.buyer,
            reason: order.reason,
            parts: order.sub_orders.into_iter().map(Part::new).collect(),
            steps,
        }
    }
}

impl StepView {
    fn new(step: Step, order: &Order, begin: i64) -> Self {
        let merchant = step
            .sub_order_id
            .and_then(|id| order.sub_order(id))
            .map(|part| part.merchant.clone());
        let handled = step.handled.into_iter();
        Self {
            id: step.message_id,
            name: step.name,
            about: merchant.unwrap_or_else(|| "main order".to_owned()),
            chip: words::of_step(step.state, &step.topic),
            topic: step.topic,
            stage: match step.state {
                StepState::Sent | StepState::Dead => 1,
                StepState::Delivered => 2,
                StepState::Handled => 3,
                StepState::Confirmed => 4,
            },
            sent_at: clock(step.sent_at),
            sent_after: span(step.sent_at - begin),
            delivered_after: step.delivered_at.map(|at| span(at - begin)),
            handled: handled
                .map(|handling| HandledView::new(handling, begin))
                .collect(),
            missing: step.missing.join(", "),
            resends: step.resends,
            error: step.error,
            trace_id: step.trace_id,
        }
    }
}

impl HandledView {
    fn new(handling: Handling, begin: i64) -> Self {
        Self {
            group: handling.group,
            attempt: handling.attempt,
            after: span(handling.handled_at - begin),
            confirmed_after: handling.confirmed_at.map(|at| span(at - begin)),
        }
    }
}
