//! What an order is. No database, no HTTP: what can be decided without them is decided here.

use serde::{Deserialize, Serialize};

use super::place_order::Item;
use crate::events::{OrderPlaced, StockLine, StockRequested};
use crate::ids::{OrderId, SubOrderId};

/// A main order: one buyer, one amount to pay. All amounts are in cents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who placed it.
    pub buyer: String,
    /// Where it stands.
    pub state: OrderState,
    /// What was asked for.
    pub placed_amount: i64,
    /// What is to be paid: the sum of the sub-orders that were not refused.
    pub amount: i64,
    /// One per merchant.
    pub sub_orders: Vec<SubOrder>,
}

/// The part of an order that one merchant serves. It is reserved as a whole or refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubOrder {
    /// Its id.
    pub id: SubOrderId,
    /// Who serves it.
    pub merchant: String,
    /// Where it stands.
    pub state: SubOrderState,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The sum of its lines.
    pub amount: i64,
    /// What was ordered.
    pub lines: Vec<Line>,
}

/// A line of a sub-order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The merchant's name for the article.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// The price of one.
    pub unit_price: i64,
}

/// An order as it stands in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSummary {
    /// Its id.
    pub id: OrderId,
    /// Who placed it.
    pub buyer: String,
    /// Where it stands.
    pub state: OrderState,
    /// What was asked for.
    pub placed_amount: i64,
    /// What is to be paid.
    pub amount: i64,
}

/// A state is left only by the edges of this diagram, each of them one conditional statement:
///
/// ```text
/// pending ──the last sub-order was answered, and one at least is reserved──► completed
///    └──────the last sub-order was answered, and all are refused───────────► refused
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderState {
    /// Not all sub-orders are answered.
    Pending,
    /// Everything that can be had is reserved.
    Completed,
    /// Nothing can be had.
    Refused,
}

/// ```text
/// pending ──StockReserved──► reserved
///    └──────StockRefused───► refused
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubOrderState {
    /// Inventory has not answered.
    Pending,
    /// Its stock is set aside.
    Reserved,
    /// The merchant is short of something.
    Refused,
}

impl Order {
    /// A new order: the items that a buyer asked for, split by merchant. Merchants, and a merchant's lines, stay in
    /// the order in which they were named.
    pub fn place(buyer: String, items: Vec<Item>) -> Self {
        let id = OrderId::new();
        let mut sub_orders: Vec<SubOrder> = Vec::new();
        for item in items {
            let known = sub_orders
                .iter()
                .position(|sub_order| sub_order.merchant == item.merchant);
            let index = known.unwrap_or_else(|| {
                sub_orders.push(SubOrder::new(item.merchant));
                sub_orders.len() - 1
            });
            let sub_order = &mut sub_orders[index];
            sub_order.amount += i64::from(item.quantity) * item.unit_price;
            sub_order.lines.push(Line {
                sku: item.sku,
                quantity: item.quantity,
                unit_price: item.unit_price,
            });
        }
        let amount = sub_orders.iter().map(|sub_order| sub_order.amount).sum();
        Self {
            id,
            buyer,
            state: OrderState::Pending,
            placed_amount: amount,
            amount,
            sub_orders,
        }
    }

    /// All lines, each with its sub-order and its place there.
    pub fn lines(&self) -> impl Iterator<Item = (SubOrderId, i32, &Line)> {
        self.sub_orders.iter().flat_map(|sub_order| {
            let places = (0..).zip(&sub_order.lines);
            places.map(|(position, line)| (sub_order.id, position, line))
        })
    }

    /// What everybody is told when it is placed.
    pub fn placed(&self) -> OrderPlaced {
        OrderPlaced {
            order_id: self.id,
            buyer: self.buyer.clone(),
            amount: self.placed_amount,
            sub_orders: self.sub_orders.iter().map(|sub_order| sub_order.id).collect(),
        }
    }

    /// What inventory is asked, once per sub-order.
    pub fn stock_requests(&self) -> impl Iterator<Item = StockRequested> {
        self.sub_orders.iter().map(|sub_order| StockRequested {
            sub_order_id: sub_order.id,
            order_id: self.id,
            merchant: sub_order.merchant.clone(),
            lines: sub_order.lines.iter().map(Line::to_stock_line).collect(),
        })
    }
}

impl SubOrder {
    fn new(merchant: String) -> Self {
        Self {
            id: SubOrderId::new(),
            merchant,
            state: SubOrderState::Pending,
            reason: None,
            amount: 0,
            lines: Vec::new(),
        }
    }
}

impl Line {
    fn to_stock_line(&self) -> StockLine {
        StockLine {
            sku: self.sku.clone(),
            quantity: self.quantity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(merchant: &str, sku: &str, quantity: u32, unit_price: i64) -> Item {
        Item {
            merchant: merchant.to_owned(),
            sku: sku.to_owned(),
            quantity,
            unit_price,
        }
    }

    #[test]
    fn items_are_split_by_merchant_and_the_amounts_add_up() {
        let items = vec![
            item("b", "x", 2, 300),
            item("a", "x", 1, 5),
            item("b", "y", 1, 40),
        ];
        let order = Order::place("ann".to_owned(), items);
        let parts: Vec<_> = order
            .sub_orders
            .iter()
            .map(|sub_order| {
                (
                    sub_order.merchant.as_str(),
                    sub_order.amount,
                    sub_order.lines.len(),
                )
            })
            .collect();
        assert_eq!(parts, [("b", 640, 2), ("a", 5, 1)]);
        assert_eq!((order.placed_amount, order.amount), (645, 645));
    }

    #[test]
    fn each_sub_order_is_one_request() {
        let order = Order::place(
            "ann".to_owned(),
            vec![item("b", "x", 2, 300), item("a", "y", 1, 5)],
        );
        let requests: Vec<_> = order.stock_requests().collect();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[1].merchant, "a");
        assert_eq!(requests[1].sub_order_id, order.sub_orders[1].id);
        assert_eq!(
            order.placed().sub_orders,
            [requests[0].sub_order_id, requests[1].sub_order_id]
        );
    }
}
