//! What is shown, in words.

use outbox_core::Event;

use crate::backend::OPTIONAL_TOPICS;
use crate::events::{CarrierDelivery, PaymentDue};
use crate::ids::{OrderId, SubOrderId};
use crate::journal::StepState;
use crate::orders::{OrderState, SubOrder, SubOrderState};

/// Topics whose messages are sent to come later.
const DELAYED_TOPICS: [&str; 2] = [PaymentDue::TOPIC, CarrierDelivery::TOPIC];

/// A state: the word says it, and the kind gives it a colour.
#[derive(Clone, Copy)]
pub(super) struct Chip {
    pub(super) word: &'static str,
    pub(super) kind: &'static str,
}

const fn chip(kind: &'static str, word: &'static str) -> Chip {
    Chip { word, kind }
}

/// The state of an order.
pub(super) fn of_order(state: OrderState) -> Chip {
    match state {
        OrderState::Pending => chip("wait", "checking stock"),
        OrderState::AwaitingPayment => chip("ask", "awaiting payment"),
        OrderState::Paying => chip("wait", "paying"),
        OrderState::Paid => chip("go", "paid, on its way"),
        OrderState::Completed => chip("good", "completed"),
        OrderState::Cancelled => chip("bad", "cancelled"),
    }
}

/// The state of a sub-order.
pub(super) fn of_sub_order(state: SubOrderState) -> Chip {
    match state {
        SubOrderState::Pending => chip("wait", "checking stock"),
        SubOrderState::Reserved => chip("ask", "set aside"),
        SubOrderState::Refused => chip("bad", "refused"),
        SubOrderState::Released => chip("off", "put back"),
        SubOrderState::Paid => chip("go", "paid"),
        SubOrderState::Shipped => chip("go", "shipped"),
        SubOrderState::Delivered => chip("good", "delivered"),
    }
}

/// How far a message has come. Of some that nobody has handled more can be said by their topics.
pub(super) fn of_step(state: StepState, topic: &str) -> Chip {
    match state {
        StepState::Sent if OPTIONAL_TOPICS.contains(&topic) => chip("off", "told to whoever listens"),
        StepState::Sent if DELAYED_TOPICS.contains(&topic) => chip("off", "waits for its time"),
        StepState::Sent => chip("wait", "on its way"),
        StepState::Delivered => chip("ask", "in the queue"),
        StepState::Handled => chip("good", "handled"),
        StepState::Confirmed => chip("good", "confirmed"),
        StepState::Dead => chip("bad", "dead letter"),
    }
}

/// The part of an order that one merchant serves, as it is shown.
pub(super) struct Part {
    pub(super) id: SubOrderId,
    pub(super) merchant: String,
    pub(super) contents: String,
    pub(super) chip: Chip,
    /// How many of the four stages are behind it: set aside, paid, shipped, delivered.
    pub(super) stage: u8,
    pub(super) reason: Option<String>,
    pub(super) amount: String,
    pub(super) refunded: Option<String>,
    /// What can still be given back.
    pub(super) refundable: Option<Refundable>,
}

/// What can still be given back.
pub(super) struct Refundable {
    /// As the value of an input: `12.50`.
    pub(super) units: String,
    /// The same until more is asked for, so that a form that is sent twice asks once.
    pub(super) key: String,
}

impl Part {
    pub(super) fn new(part: SubOrder) -> Self {
        let left = part.paid_amount - part.refund_requested;
        let lines = part.lines.iter();
        let contents: Vec<_> = lines
            .map(|line| format!("{} × {}", line.quantity, line.sku))
            .collect();
        Self {
            chip: of_sub_order(part.state),
            stage: match part.state {
                SubOrderState::Pending | SubOrderState::Refused | SubOrderState::Released => 0,
                SubOrderState::Reserved => 1,
                SubOrderState::Paid => 2,
                SubOrderState::Shipped => 3,
                SubOrderState::Delivered => 4,
            },
            contents: contents.join(", "),
            amount: money(part.amount),
            refunded: (part.refund_requested > 0).then(|| refunded(&part)),
            refundable: (left > 0).then(|| Refundable {
                units: units(left),
                key: format!("page-refund-{}-{}", part.id, part.refund_requested),
            }),
            id: part.id,
            merchant: part.merchant,
            reason: part.reason,
        }
    }
}

fn refunded(part: &SubOrder) -> String {
    let (asked, done) = (part.refund_requested, part.refunded_amount);
    if asked == done {
        format!("{} refunded", money(done))
    } else {
        format!("{} refunded of {} that were asked for", money(done), money(asked))
    }
}

/// The end of an order's id: its beginning is the time, and much the same for all of a day.
pub(super) fn short(id: OrderId) -> String {
    let id = id.0.simple().to_string();
    id.get(id.len().saturating_sub(6)..)
        .unwrap_or_default()
        .to_owned()
}

/// Cents, for people.
pub(super) fn money(cents: i64) -> String {
    format!("€\u{202f}{}", units(cents))
}

fn units(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Milliseconds after a beginning, for people.
pub(super) fn span(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis}\u{202f}ms"),
        1_000..60_000 => format!("{}.{:02}\u{202f}s", millis / 1_000, millis % 1_000 / 10),
        _ => format!("{}\u{202f}min {}\u{202f}s", millis / 60_000, millis / 1_000 % 60),
    }
}

/// The time of day of milliseconds since 1970.
pub(super) fn clock(millis: i64) -> String {
    let seconds = millis.div_euclid(1_000).rem_euclid(86_400);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let (seconds, millis) = (seconds % 60, millis.rem_euclid(1_000));
    format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_to_people() {
        assert_eq!(money(123_405), "€\u{202f}1234.05");
        assert_eq!(span(999), "999\u{202f}ms");
        assert_eq!(span(2_340), "2.34\u{202f}s");
        assert_eq!(span(61_000), "1\u{202f}min 1\u{202f}s");
        assert_eq!(clock(86_400_000 + 3_723_004), "01:02:03.004 UTC");
    }
}
