//! The one way in which an order changes: locked, decided, written and told, in the caller's transaction.

use std::time::Duration;

use outbox_sqlx::OutboxTransaction;

use super::model::Order;
use super::state::OrderState;
use super::statements::Statements;
use super::store;
use crate::database::ServiceDatabase;
use crate::events::Outgoing;
use crate::ids::OrderId;
use crate::messaging::Messenger;
use crate::store_error::StoreError;

/// What came of a change.
pub(super) enum Changed<T> {
    /// It was made, and this is the order now.
    Yes(Box<Order>, T),
    /// There is no such order.
    NoOrder,
}

/// Locks the order, lets `decide` change it, writes what has changed, and sends what is to be told.
pub(super) async fn change<DB, T>(
    tx: &mut OutboxTransaction<DB>,
    messenger: &Messenger,
    id: OrderId,
    pay_within: Duration,
    decide: impl FnOnce(&mut Order) -> (Vec<Outgoing>, T) + Send,
) -> Result<Changed<T>, StoreError>
where
    DB: ServiceDatabase,
    T: Send,
{
    let Some(before) = store::lock(&mut **tx, id).await? else {
        return Ok(Changed::NoOrder);
    };
    let mut order = before.clone();
    let (outgoing, decided) = decide(&mut order);
    store::save(&mut **tx, &before, &order).await?;
    if before.state == OrderState::Pending
        && matches!(order.state, OrderState::AwaitingPayment | OrderState::Paying)
    {
        let window = i64::try_from(pay_within.as_micros()).unwrap_or(i64::MAX);
        Statements::start_payment_window(&mut **tx, window, id.0).await?;
    }
    messenger.send(tx, outgoing).await?;
    Ok(Changed::Yes(Box::new(order), decided))
}
