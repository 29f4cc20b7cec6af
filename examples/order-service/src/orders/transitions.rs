//! What becomes of an order when something happens to it: pure decisions, each of which changes the order and says what is
//! to be told. Whoever calls one holds the order's row locked, and commits both or neither.
//!
//! `None` means that it is no news: the order has gone on since, and nothing is to be done. Messages come at least once, and
//! though the ledger drops what was handled before, an order is not to depend on it.

use std::time::Duration;

use super::model::{Order, SubOrder};
use super::state::{OrderState, SubOrderState};
use crate::events::{
    OrderEvent, Outgoing, PaymentCommand, PaymentDue, ShipmentCommand, StockCommand, StockLine,
};
use crate::ids::{PaymentId, RefundId, SubOrderId};

/// Why a buyer can't do what he wants to. The text is for him.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It can't be paid in this state.
    #[error("The order can't be paid: it is {}.", .0.as_str())]
    NotPayable(OrderState),
    /// It has no such part.
    #[error("The order has no such sub-order.")]
    NoSubOrder,
    /// What was not paid for can't be refunded.
    #[error("The sub-order was not paid for.")]
    NotPaid,
    /// More than was paid would go back.
    #[error("{asked} can't be refunded: {left} of what was paid are left.")]
    TooMuch {
        /// What was asked for, in cents.
        asked: i64,
        /// What is left, in cents.
        left: i64,
    },
}

impl Order {
    /// It was just placed: everybody is told, and inventory is asked, once per sub-order.
    pub fn placed(&self) -> Vec<Outgoing> {
        let placed = OrderEvent::Placed {
            order_id: self.id,
            buyer: self.buyer.clone(),
            amount: self.placed_amount,
            sub_orders: self.sub_orders.iter().map(|sub_order| sub_order.id).collect(),
        };
        let requests = self.sub_orders.iter().map(|sub_order| {
            let lines = sub_order.lines.iter().map(|line| StockLine {
                sku: line.sku.clone(),
                quantity: line.quantity,
            });
            Outgoing::Stock(StockCommand::Reserve {
                sub_order_id: sub_order.id,
                order_id: self.id,
                merchant: sub_order.merchant.clone(),
                lines: lines.collect(),
            })
        });
        std::iter::once(Outgoing::Order(placed)).chain(requests).collect()
    }

    /// Inventory has answered: `Err` says why it refused. After the last answer the order is to be paid within `pay_within`;
    /// or it is cancelled, where nothing can be had, or not all of it though the buyer wants all or nothing.
    pub fn answered(
        &mut self,
        sub_order: SubOrderId,
        answer: Result<(), String>,
        pay_within: Duration,
    ) -> Option<Vec<Outgoing>> {
        let part = self.part_in(sub_order, SubOrderState::Pending)?;
        match answer {
            Ok(()) => part.state = SubOrderState::Reserved,
            Err(reason) => {
                part.state = SubOrderState::Refused;
                part.reason = Some(reason);
            }
        }
        self.amount = self.sum(|part| part.state != SubOrderState::Refused);
        if self.has(SubOrderState::Pending) {
            return Some(Vec::new());
        }
        let refused = self
            .sub_orders
            .iter()
            .find(|part| part.state == SubOrderState::Refused);
        let wanted = self.has(SubOrderState::Reserved) && !(self.all_or_nothing && refused.is_some());
        if !wanted {
            let reason = refused.and_then(|part| part.reason.clone());
            return Some(self.cancel(reason.unwrap_or_else(|| "nothing can be had".to_owned())));
        }
        self.state = OrderState::AwaitingPayment;
        let mut outgoing = vec![
            Outgoing::Order(OrderEvent::AwaitingPayment {
                order_id: self.id,
                amount: self.amount,
            }),
            Outgoing::PaymentDue {
                event: PaymentDue { order_id: self.id },
                after: pay_within,
            },
        ];
        if let Some(method) = self.payment_method.clone()
            && let Ok(charge) = self.pay(PaymentId::new(), method)
        {
            outgoing.extend(charge);
        }
        Some(outgoing)
    }

    /// The buyer pays. From now on the order can't be closed for being unpaid, until payment has answered: of a payment and
    /// the end of the time for it, the one that locks the order's row first wins.
    ///
    /// # Errors
    /// It is not to be paid, or not any more.
    pub fn pay(&mut self, payment_id: PaymentId, payment_method: String) -> Result<Vec<Outgoing>, Refusal> {
        if self.state != OrderState::AwaitingPayment {
            return Err(Refusal::NotPayable(self.state));
        }
        self.state = OrderState::Paying;
        self.reason = None;
        self.payment_id = Some(payment_id);
        Ok(vec![Outgoing::Payment(PaymentCommand::Charge {
            payment_id,
            order_id: self.id,
            amount: self.amount,
            payment_method,
        })])
    }

    /// Payment has captured the amount: it is allocated to the sub-orders, and they are shipped.
    pub fn captured(&mut self, payment_id: PaymentId, amount: i64) -> Option<Vec<Outgoing>> {
        self.is_paying(payment_id)?;
        self.state = OrderState::Paid;
        self.captured_amount = amount;
        let mut outgoing = vec![Outgoing::Order(OrderEvent::Paid {
            order_id: self.id,
            amount,
        })];
        for part in self.parts(SubOrderState::Reserved) {
            part.state = SubOrderState::Paid;
            part.paid_amount = part.amount;
        }
        let paid = self
            .sub_orders
            .iter()
            .filter(|part| part.state == SubOrderState::Paid);
        outgoing.extend(paid.map(|part| {
            Outgoing::Ship(ShipmentCommand {
                sub_order_id: part.id,
                order_id: self.id,
                merchant: part.merchant.clone(),
            })
        }));
        Some(outgoing)
    }

    /// Payment could not capture it: the buyer may try again, as long as there is time.
    pub fn payment_refused(&mut self, payment_id: PaymentId, reason: String) -> Option<Vec<Outgoing>> {
        self.is_paying(payment_id)?;
        if self.overdue {
            return Some(self.cancel(format!("not paid in time: {reason}")));
        }
        self.state = OrderState::AwaitingPayment;
        self.reason = Some(reason);
        Some(Vec::new())
    }

    /// The time to pay is over.
    pub fn payment_due(&mut self) -> Option<Vec<Outgoing>> {
        match self.state {
            OrderState::AwaitingPayment => Some(self.cancel("not paid in time".to_owned())),
            // Payment is at it, and its answer decides.
            OrderState::Paying if !self.overdue => {
                self.overdue = true;
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// A sub-order is on its way.
    pub fn shipped(&mut self, sub_order: SubOrderId) -> Option<Vec<Outgoing>> {
        self.part_in(sub_order, SubOrderState::Paid)?.state = SubOrderState::Shipped;
        Some(Vec::new())
    }

    /// A sub-order was delivered. The last one completes the order.
    pub fn delivered(&mut self, sub_order: SubOrderId) -> Option<Vec<Outgoing>> {
        self.part_in(sub_order, SubOrderState::Shipped)?.state = SubOrderState::Delivered;
        if self.has(SubOrderState::Paid) || self.has(SubOrderState::Shipped) {
            return Some(Vec::new());
        }
        self.state = OrderState::Completed;
        Some(vec![Outgoing::Order(OrderEvent::Completed {
            order_id: self.id,
            buyer: self.buyer.clone(),
            amount: self.captured_amount,
        })])
    }

    /// Money for a sub-order is to go back: at most what was paid for it, however often it is asked for.
    ///
    /// # Errors
    /// There is nothing that could go back, or not so much.
    pub fn refund(
        &mut self,
        refund_id: RefundId,
        sub_order: SubOrderId,
        amount: i64,
    ) -> Result<Vec<Outgoing>, Refusal> {
        let order_id = self.id;
        let payment_id = self.payment_id;
        let part = self.part(sub_order).ok_or(Refusal::NoSubOrder)?;
        let (Some(payment_id), true) = (payment_id, part.paid_amount > 0) else {
            return Err(Refusal::NotPaid);
        };
        let left = part.paid_amount - part.refund_requested;
        if amount > left {
            return Err(Refusal::TooMuch { asked: amount, left });
        }
        part.refund_requested += amount;
        Ok(vec![Outgoing::Payment(PaymentCommand::Refund {
            refund_id,
            payment_id,
            order_id,
            sub_order_id: sub_order,
            amount,
        })])
    }

    /// Money for a sub-order went back.
    pub fn refunded(&mut self, sub_order: SubOrderId, amount: i64) -> Option<Vec<Outgoing>> {
        let part = self.part(sub_order)?;
        if part.refunded_amount + amount > part.refund_requested {
            return None;
        }
        part.refunded_amount += amount;
        self.refunded_amount += amount;
        Some(vec![Outgoing::Order(OrderEvent::Refunded {
            order_id: self.id,
            sub_order_id: sub_order,
            amount,
        })])
    }

    /// Closes it: what is set aside goes back.
    fn cancel(&mut self, reason: String) -> Vec<Outgoing> {
        let order_id = self.id;
        self.state = OrderState::Cancelled;
        self.amount = 0;
        self.reason = Some(reason.clone());
        let mut outgoing = vec![Outgoing::Order(OrderEvent::Cancelled { order_id, reason })];
        for part in self.parts(SubOrderState::Reserved) {
            part.state = SubOrderState::Released;
            outgoing.push(Outgoing::Stock(StockCommand::Release {
                sub_order_id: part.id,
                order_id,
            }));
        }
        outgoing
    }

    fn is_paying(&self, payment_id: PaymentId) -> Option<()> {
        (self.state == OrderState::Paying && self.payment_id == Some(payment_id)).then_some(())
    }

    fn part(&mut self, id: SubOrderId) -> Option<&mut SubOrder> {
        self.sub_orders.iter_mut().find(|part| part.id == id)
    }

    fn part_in(&mut self, id: SubOrderId, state: SubOrderState) -> Option<&mut SubOrder> {
        self.part(id).filter(|part| part.state == state)
    }

    fn parts(&mut self, state: SubOrderState) -> impl Iterator<Item = &mut SubOrder> {
        self.sub_orders.iter_mut().filter(move |part| part.state == state)
    }

    fn has(&self, state: SubOrderState) -> bool {
        self.sub_orders.iter().any(|part| part.state == state)
    }

    fn sum(&self, which: impl Fn(&SubOrder) -> bool) -> i64 {
        let parts = self.sub_orders.iter().filter(|part| which(part));
        parts.map(|part| part.amount).sum()
    }
}

#[cfg(test)]
mod tests;
