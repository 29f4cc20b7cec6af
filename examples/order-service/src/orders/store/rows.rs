//! From rows to values, the same for each database.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Answer, Asked};
use crate::events::{StockLine, StockRequested};
use crate::ids::{OrderId, SubOrderId};
use crate::orders::{Line, Order, OrderState, OrderSummary, SubOrder, SubOrderState};
use crate::store_error::StoreError;

/// id, buyer, state, placed amount, amount
pub(super) type SummaryRow = (Uuid, String, String, i64, i64);

/// A main order (5 columns), a sub-order (5), a line (3).
pub(super) type OrderRow = (
    Uuid,
    String,
    String,
    i64,
    i64,
    Uuid,
    String,
    String,
    Option<String>,
    i64,
    String,
    i64,
    i64,
);

/// sub-order, order, merchant, sku, quantity
pub(super) type PendingRow = (Uuid, Uuid, String, String, i64);

impl Answer {
    /// The sub-order's new state and reason, as they are stored.
    pub(super) fn columns(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Reserved => ("reserved", None),
            Self::Refused { reason } => ("refused", Some(reason)),
        }
    }
}

pub(super) fn summary(
    (id, buyer, state, placed_amount, amount): SummaryRow,
) -> Result<OrderSummary, StoreError> {
    Ok(OrderSummary {
        id: OrderId(id),
        buyer,
        state: order_state(state)?,
        placed_amount,
        amount,
    })
}

/// Folds the rows of one order, a row per line, sub-order by sub-order.
pub(super) fn order(rows: Vec<OrderRow>) -> Result<Option<Order>, StoreError> {
    let mut order: Option<Order> = None;
    for (
        id,
        buyer,
        state,
        placed,
        amount,
        sub_id,
        merchant,
        sub_state,
        reason,
        sub_amount,
        sku,
        quantity,
        price,
    ) in rows
    {
        let order = match &mut order {
            Some(order) => order,
            None => order.insert(Order {
                id: OrderId(id),
                buyer,
                state: order_state(state)?,
                placed_amount: placed,
                amount,
                sub_orders: Vec::new(),
            }),
        };
        if order.sub_orders.last().is_none_or(|last| last.id.0 != sub_id) {
            order.sub_orders.push(SubOrder {
                id: SubOrderId(sub_id),
                merchant,
                state: sub_order_state(sub_state)?,
                reason,
                amount: sub_amount,
                lines: Vec::new(),
            });
        }
        if let Some(sub_order) = order.sub_orders.last_mut() {
            sub_order.lines.push(Line {
                sku,
                quantity: self::quantity(quantity)?,
                unit_price: price,
            });
        }
    }
    Ok(order)
}

/// What inventory has not answered.
pub(super) struct Pending {
    requests: Vec<StockRequested>,
}

impl Pending {
    /// Folds the rows of pending sub-orders, a row per line.
    pub(super) fn new(rows: Vec<PendingRow>) -> Result<Self, StoreError> {
        let mut requests: Vec<StockRequested> = Vec::new();
        for (sub_order_id, order_id, merchant, sku, quantity) in rows {
            if requests
                .last()
                .is_none_or(|last| last.sub_order_id.0 != sub_order_id)
            {
                requests.push(StockRequested {
                    sub_order_id: SubOrderId(sub_order_id),
                    order_id: OrderId(order_id),
                    merchant,
                    lines: Vec::new(),
                });
            }
            let quantity = self::quantity(quantity)?;
            if let Some(request) = requests.last_mut() {
                request.lines.push(StockLine { sku, quantity });
            }
        }
        Ok(Self { requests })
    }

    /// The keys of these requests.
    pub(super) fn keys(&self) -> Vec<String> {
        let key = |request: &StockRequested| request.sub_order_id.to_string();
        self.requests.iter().map(key).collect()
    }

    /// The requests whose keys are not among `on_their_way`, and what to say about the page.
    pub(super) fn without(mut self, on_their_way: &[String]) -> (Asked, Vec<StockRequested>) {
        let last = self.requests.last().map(|request| request.sub_order_id);
        let on_their_way: HashSet<&str> = on_their_way.iter().map(String::as_str).collect();
        self.requests
            .retain(|request| !on_their_way.contains(request.sub_order_id.to_string().as_str()));
        let asked = Asked {
            requests: self.requests.len() as u64,
            last,
        };
        (asked, self.requests)
    }
}

fn order_state(value: String) -> Result<OrderState, StoreError> {
    match value.as_str() {
        "pending" => Ok(OrderState::Pending),
        "completed" => Ok(OrderState::Completed),
        "refused" => Ok(OrderState::Refused),
        _ => Err(StoreError::Unknown {
            column: "main_order.state",
            value,
        }),
    }
}

fn sub_order_state(value: String) -> Result<SubOrderState, StoreError> {
    match value.as_str() {
        "pending" => Ok(SubOrderState::Pending),
        "reserved" => Ok(SubOrderState::Reserved),
        "refused" => Ok(SubOrderState::Refused),
        _ => Err(StoreError::Unknown {
            column: "sub_order.state",
            value,
        }),
    }
}

fn quantity(value: i64) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|_| StoreError::Unknown {
        column: "order_line.quantity",
        value: value.to_string(),
    })
}
