//! What an order is. No database, no HTTP: what it becomes is decided in `transitions`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::place_order::{Item, PlaceOrder};
use super::state::{OrderState, SubOrderState};
use crate::ids::{OrderId, PaymentId, SubOrderId};

/// A main order: one buyer, one payment. All amounts are in cents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who placed it.
    pub buyer: String,
    /// Where it stands.
    pub state: OrderState,
    /// Why it was cancelled, or why the last try to pay failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the buyer wants nothing unless he can have all of it.
    pub all_or_nothing: bool,
    /// What was asked for.
    pub placed_amount: i64,
    /// What is to be paid: the sum of the sub-orders that were not refused. Nothing, once it is cancelled.
    pub amount: i64,
    /// What was captured.
    pub captured_amount: i64,
    /// What of that went back.
    pub refunded_amount: i64,
    /// The last try to pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// What it is paid with as soon as its stock is set aside. The provider's token, and not for others to see.
    #[serde(skip)]
    pub payment_method: Option<String>,
    /// Whether the time to pay ran out while payment was at it.
    #[serde(skip)]
    pub overdue: bool,
    /// One per merchant.
    pub sub_orders: Vec<SubOrder>,
}

/// The part of an order that one merchant serves. It is reserved as a whole or refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
    /// What of the captured amount is for it.
    pub paid_amount: i64,
    /// What was asked to be given back of that.
    pub refund_requested: i64,
    /// What went back.
    pub refunded_amount: i64,
    /// What was ordered.
    pub lines: Vec<Line>,
}

/// A line of a sub-order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// The merchant's name for the article.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// The price of one.
    pub unit_price: i64,
}

/// An order as it stands in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

impl Order {
    /// A new order: the items that a buyer asked for, split by merchant. Merchants, and a merchant's lines, stay in
    /// the order in which they were named.
    pub fn new(request: PlaceOrder) -> Self {
        let mut sub_orders: Vec<SubOrder> = Vec::new();
        for item in request.items {
            let known = sub_orders
                .iter()
                .position(|sub_order| sub_order.merchant == item.merchant);
            let index = known.unwrap_or_else(|| {
                sub_orders.push(SubOrder::new(item.merchant.clone()));
                sub_orders.len() - 1
            });
            sub_orders[index].add(item);
        }
        let amount = sub_orders.iter().map(|sub_order| sub_order.amount).sum();
        Self {
            id: OrderId::new(),
            buyer: request.buyer,
            state: OrderState::Pending,
            reason: None,
            all_or_nothing: request.all_or_nothing,
            placed_amount: amount,
            amount,
            captured_amount: 0,
            refunded_amount: 0,
            payment_id: None,
            payment_method: request.payment_method,
            overdue: false,
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

    /// One of its sub-orders.
    pub fn sub_order(&self, id: SubOrderId) -> Option<&SubOrder> {
        self.sub_orders.iter().find(|sub_order| sub_order.id == id)
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
            paid_amount: 0,
            refund_requested: 0,
            refunded_amount: 0,
            lines: Vec::new(),
        }
    }

    fn add(&mut self, item: Item) {
        self.amount += i64::from(item.quantity) * item.unit_price;
        self.lines.push(Line {
            sku: item.sku,
            quantity: item.quantity,
            unit_price: item.unit_price,
        });
    }
}
