//! Orders in a database: whole ones are read and written, and what becomes of them is decided elsewhere (`transitions`).

use serde_json::{Value, json};

use super::model::{Line, Order, OrderSummary, SubOrder};
use super::state::{OrderState, SubOrderState};
use super::statements::{HeadRow, LineRow, PartRow, Statements};
use crate::ids::{OrderId, PaymentId, SubOrderId};
use crate::store_error::StoreError;

/// Writes a new order: a statement per table and not per row, because each costs a round trip.
pub(super) async fn insert(connection: &mut impl Statements, order: &Order) -> Result<(), StoreError> {
    connection
        .insert_order(
            order.id.0,
            &order.buyer,
            order.all_or_nothing,
            order.payment_method.as_deref(),
            order.placed_amount,
            order.amount,
        )
        .await?;
    let parts = order.sub_orders.iter();
    let parts = parts.map(|part| json!([part.id.0.simple(), part.merchant, part.amount]));
    connection.insert_sub_orders(order.id.0, &list(parts)).await?;
    let lines = order.lines().map(|(sub_order, position, line)| {
        json!([
            sub_order.0.simple(),
            position,
            line.sku,
            line.quantity,
            line.unit_price
        ])
    });
    connection.insert_lines(&list(lines)).await?;
    Ok(())
}

/// Reads an order and keeps everybody else from changing it until the transaction ends: whoever wants to, locks it first. So
/// the last two answers, heard at the same time, see each other.
pub(super) async fn lock(connection: &mut impl Statements, id: OrderId) -> Result<Option<Order>, StoreError> {
    let head = connection.lock_order(id.0).await?;
    complete(connection, head).await
}

/// Reads an order.
pub(super) async fn find(connection: &mut impl Statements, id: OrderId) -> Result<Option<Order>, StoreError> {
    let head = connection.find_order(id.0).await?;
    complete(connection, head).await
}

/// The newest orders.
pub(super) async fn newest(
    connection: &mut impl Statements,
    limit: u32,
) -> Result<Vec<OrderSummary>, StoreError> {
    let rows = connection.newest_orders(limit.into()).await?;
    let summary = |(id, buyer, state, placed_amount, amount): (_, _, String, _, _)| {
        Ok(OrderSummary {
            id: OrderId(id),
            buyer,
            state: OrderState::from_stored(&state)?,
            placed_amount,
            amount,
        })
    };
    rows.into_iter().map(summary).collect()
}

/// Writes what has changed of an order that was locked before.
pub(super) async fn save(
    connection: &mut impl Statements,
    before: &Order,
    order: &Order,
) -> Result<(), StoreError> {
    let same_head = Order {
        sub_orders: before.sub_orders.clone(),
        ..order.clone()
    } == *before;
    if !same_head {
        connection
            .update_order(
                order.state.as_str(),
                order.reason.as_deref(),
                order.amount,
                order.captured_amount,
                order.refunded_amount,
                order.payment_id.map(|id| id.0),
                order.overdue,
                order.id.0,
            )
            .await?;
    }
    for (part, before) in order.sub_orders.iter().zip(&before.sub_orders) {
        if part != before {
            connection
                .update_sub_order(
                    part.state.as_str(),
                    part.reason.as_deref(),
                    part.paid_amount,
                    part.refund_requested,
                    part.refunded_amount,
                    part.id.0,
                )
                .await?;
        }
    }
    Ok(())
}

async fn complete(
    connection: &mut impl Statements,
    head: Option<HeadRow>,
) -> Result<Option<Order>, StoreError> {
    let Some(head) = head else { return Ok(None) };
    let parts = connection.sub_orders_of_order(head.0).await?;
    let lines = connection.lines_of_order(head.0).await?;
    order(head, parts, lines).map(Some)
}

fn order(head: HeadRow, parts: Vec<PartRow>, lines: Vec<LineRow>) -> Result<Order, StoreError> {
    let mut sub_orders = Vec::with_capacity(parts.len());
    for (id, merchant, state, reason, amount, paid_amount, refund_requested, refunded_amount) in parts {
        sub_orders.push(SubOrder {
            id: SubOrderId(id),
            merchant,
            state: SubOrderState::from_stored(&state)?,
            reason,
            amount,
            paid_amount,
            refund_requested,
            refunded_amount,
            lines: Vec::new(),
        });
    }
    for (of, sku, quantity, unit_price) in lines {
        let quantity = u32::try_from(quantity).map_err(|_| StoreError::Unknown {
            column: "order_line.quantity",
            value: quantity.to_string(),
        })?;
        if let Some(part) = sub_orders.iter_mut().find(|part| part.id.0 == of) {
            part.lines.push(Line {
                sku,
                quantity,
                unit_price,
            });
        }
    }
    let (
        id,
        buyer,
        state,
        reason,
        all_or_nothing,
        placed,
        amount,
        captured,
        refunded,
        payment,
        method,
        overdue,
    ) = head;
    Ok(Order {
        id: OrderId(id),
        buyer,
        state: OrderState::from_stored(&state)?,
        reason,
        all_or_nothing,
        placed_amount: placed,
        amount,
        captured_amount: captured,
        refunded_amount: refunded,
        payment_id: payment.map(PaymentId),
        payment_method: method,
        overdue,
        sub_orders,
    })
}

/// Many rows in one parameter.
fn list(rows: impl Iterator<Item = Value>) -> String {
    Value::Array(rows.collect()).to_string()
}
