//! What buyers and the clock want of orders, each in a transaction of its own. This is the code to copy.

use std::time::Duration;

use async_trait::async_trait;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use idempotency::http::HttpIdempotency;
use outbox_sqlx::OutboxTransaction;
use serde::de::DeserializeOwned;

use super::changes::{Changed, change};
use super::model::{Order, OrderSummary};
use super::place_order::{Pay, PlaceOrder, RequestRefund};
use super::statements::Statements;
use super::store;
use super::transitions::Refusal;
use crate::database::{Pools, ServiceDatabase};
use crate::events::Outgoing;
use crate::http::{self, FieldError, Problem};
use crate::ids::{OrderId, PaymentId, RefundId, SubOrderId};
use crate::messaging::{Messenger, trace};
use crate::store_error::StoreError;

/// Whose idempotency keys these are. This service knows no accounts; one that does puts the account's id here, and never
/// something that the request may choose.
const CALLER: &str = "anybody";

/// Most orders that one look for overdue ones closes.
const OVERDUE_MAX: i64 = 1_000;

/// What can be asked of the orders in a database. Each request that changes something is carried out once, however often it
/// comes with the same `Idempotency-Key`: the key is committed with the rows, the messages and the answer.
#[async_trait]
pub trait OrderDesk: Send + Sync + 'static {
    /// `POST /orders`: writes the order, and asks inventory.
    async fn place(&self, request: Request<Body>) -> Response;

    /// `POST /orders/{id}/payment`: the buyer pays.
    async fn pay(&self, order: OrderId, request: Request<Body>) -> Response;

    /// `POST /orders/{id}/sub-orders/{sub_order_id}/refunds`: money goes back.
    async fn refund(&self, order: OrderId, sub_order: SubOrderId, request: Request<Body>) -> Response;

    /// One order with everything in it.
    async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError>;

    /// The newest orders.
    async fn newest(&self, limit: u32) -> Result<Vec<OrderSummary>, StoreError>;

    /// Closes unpaid orders whose time ran out so long ago, and returns how many. The last net: each order has a message
    /// that closes it on time.
    async fn close_overdue(&self, grace: Duration) -> Result<u64, StoreError>;

    /// Waits for requests whose client is gone already.
    async fn drain(&self);
}

/// [`OrderDesk`] on a SQL database.
#[derive(Debug)]
pub struct SqlOrderDesk<DB: ServiceDatabase> {
    pools: Pools<DB>,
    messenger: Messenger,
    once: HttpIdempotency<DB>,
    pay_within: Duration,
}

impl<DB: ServiceDatabase> SqlOrderDesk<DB> {
    /// The orders in the database of `pools`. A buyer has `pay_within` to pay.
    pub fn new(
        pools: Pools<DB>,
        messenger: Messenger,
        once: HttpIdempotency<DB>,
        pay_within: Duration,
    ) -> Self {
        Self {
            pools,
            messenger,
            once,
            pay_within,
        }
    }

    /// Carries out a request that changes an order.
    async fn change<T: DeserializeOwned + Send + 'static>(
        &self,
        id: OrderId,
        request: Request<Body>,
        check: fn(&T) -> Vec<FieldError>,
        decide: impl FnOnce(&mut Order, T) -> Result<Vec<Outgoing>, Refusal> + Send + 'static,
    ) -> Response {
        let (messenger, pay_within) = (self.messenger.clone(), self.pay_within);
        self.run(request, move |tx, headers, body| {
            Box::pin(async move {
                let wanted: T = read(&headers, &body, check)?;
                let decide = |order: &mut Order| match decide(order, wanted) {
                    Ok(outgoing) => (outgoing, None),
                    Err(refusal) => (Vec::new(), Some(refusal)),
                };
                match change::<DB, _>(tx, &messenger, id, pay_within, decide).await? {
                    Changed::Yes(order, None) => Ok((StatusCode::ACCEPTED, Json(order)).into_response()),
                    Changed::Yes(_, Some(Refusal::NoSubOrder)) | Changed::NoOrder => {
                        let detail = "There is no such order or sub-order.";
                        Err(Problem::new(StatusCode::NOT_FOUND, detail))
                    }
                    Changed::Yes(_, Some(refusal)) => {
                        Err(Problem::new(StatusCode::CONFLICT, refusal.to_string()))
                    }
                }
            })
        })
        .await
    }

    /// Runs `work` once for its idempotency key, as a part of the request's trace: it runs on a task of its own, so that it
    /// comes to its end when the client is gone.
    async fn run<W>(&self, request: Request<Body>, work: W) -> Response
    where
        W: for<'a> FnOnce(&'a mut OutboxTransaction<DB>, HeaderMap, Bytes) -> Work<'a> + Send + 'static,
    {
        let trace = trace::current();
        let response = self
            .once
            .run(CALLER, request, move |tx, request| {
                let (head, body) = request.into_parts();
                let work = work(tx, head.headers, body);
                Box::pin(async move {
                    match trace {
                        Some(trace) => trace::within(trace, work).await,
                        None => work.await,
                    }
                })
            })
            .await;
        // Only a hint to the relay, which looks by itself too.
        self.messenger.outbox().wake();
        response
    }
}

type Work<'a> = idempotency::http::Work<'a, Problem>;

/// The body, checked.
fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &Bytes,
    check: fn(&T) -> Vec<FieldError>,
) -> Result<T, Problem> {
    let wanted: T = http::parse(headers, body)?;
    let errors = check(&wanted);
    if errors.is_empty() {
        Ok(wanted)
    } else {
        Err(Problem::invalid(errors))
    }
}

#[async_trait]
impl<DB: ServiceDatabase> OrderDesk for SqlOrderDesk<DB> {
    async fn place(&self, request: Request<Body>) -> Response {
        let messenger = self.messenger.clone();
        self.run(request, move |tx, headers, body| {
            Box::pin(async move {
                let order = Order::new(read(&headers, &body, PlaceOrder::errors)?);
                store::insert(&mut **tx, &order).await?;
                messenger.send(tx, order.placed()).await?;
                let location = [(header::LOCATION, format!("/orders/{}", order.id))];
                Ok((StatusCode::CREATED, location, Json(order)).into_response())
            })
        })
        .await
    }

    async fn pay(&self, order: OrderId, request: Request<Body>) -> Response {
        self.change(order, request, Pay::errors, |order, pay: Pay| {
            order.pay(PaymentId::new(), pay.payment_method)
        })
        .await
    }

    async fn refund(&self, order: OrderId, sub_order: SubOrderId, request: Request<Body>) -> Response {
        self.change(
            order,
            request,
            RequestRefund::errors,
            move |order, refund: RequestRefund| order.refund(RefundId::new(), sub_order, refund.amount),
        )
        .await
    }

    async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let mut connection = self.pools.read.acquire().await?;
        store::find(&mut *connection, id).await
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OrderSummary>, StoreError> {
        let mut connection = self.pools.read.acquire().await?;
        store::newest(&mut *connection, limit).await
    }

    async fn close_overdue(&self, grace: Duration) -> Result<u64, StoreError> {
        let grace = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
        let overdue = {
            let mut connection = self.pools.read.acquire().await?;
            Statements::overdue_orders(&mut *connection, grace, OVERDUE_MAX).await?
        };
        let mut closed = 0;
        for (id,) in overdue {
            let id = OrderId(id);
            let outbox = self.messenger.outbox();
            closed += outbox
                .transaction(&self.pools.write, async |tx| {
                    let decide = |order: &mut Order| match order.payment_due() {
                        Some(outgoing) => (outgoing, 1),
                        None => (Vec::new(), 0),
                    };
                    match change::<DB, _>(tx, &self.messenger, id, self.pay_within, decide).await? {
                        Changed::Yes(_, closed) => Ok::<u64, StoreError>(closed),
                        Changed::NoOrder => Ok(0),
                    }
                })
                .await?;
        }
        Ok(closed)
    }

    async fn drain(&self) {
        self.once.drain().await;
    }
}
