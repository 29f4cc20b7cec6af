//! Whatever happens to an order, in whatever order and however often: what is said of it stays true.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::model::{Order, SubOrder};
use super::super::place_order::{Item, PlaceOrder};
use super::super::state::{OrderState, SubOrderState};
use crate::events::{Outgoing, PaymentCommand, StockCommand};
use crate::ids::{PaymentId, RefundId, SubOrderId};

const MERCHANTS: usize = 3;

/// Something that happens to an order. Numbers choose a sub-order, or one of the payments that there were.
#[derive(Debug, Clone)]
enum Event {
    Answered(usize, bool),
    Pay,
    Captured(usize),
    PaymentRefused(usize),
    Due,
    Shipped(usize),
    Delivered(usize),
    Refund(usize, i64),
    Refunded(usize, i64),
}

fn event() -> impl Strategy<Value = Event> {
    let part = 0..MERCHANTS;
    prop_oneof![
        4 => (part.clone(), prop::bool::weighted(0.8)).prop_map(|(part, yes)| Event::Answered(part, yes)),
        2 => Just(Event::Pay),
        2 => (0_usize..4).prop_map(Event::Captured),
        1 => (0_usize..4).prop_map(Event::PaymentRefused),
        1 => Just(Event::Due),
        3 => part.clone().prop_map(Event::Shipped),
        3 => part.clone().prop_map(Event::Delivered),
        2 => (part.clone(), 1_i64..200).prop_map(|(part, amount)| Event::Refund(part, amount)),
        2 => (part, 1_i64..200).prop_map(|(part, amount)| Event::Refunded(part, amount)),
    ]
}

fn order(all_or_nothing: bool, pays_by_itself: bool) -> Order {
    let item = |number| Item {
        merchant: format!("m{number}"),
        sku: "s".to_owned(),
        quantity: 1,
        unit_price: 50 + 10 * number as i64,
    };
    Order::new(PlaceOrder {
        buyer: "ann".to_owned(),
        items: (0..MERCHANTS).map(item).collect(),
        all_or_nothing,
        payment_method: pays_by_itself.then(|| "visa".to_owned()),
    })
}

/// What was told to the other modules so far.
#[derive(Debug, Default)]
struct Told {
    /// Each charge with its amount, and whether payment has answered.
    charges: Vec<(PaymentId, i64, bool)>,
    released: BTreeMap<SubOrderId, u32>,
    shipped: BTreeMap<SubOrderId, u32>,
    refunds: i64,
}

impl Told {
    fn hear(&mut self, outgoing: &[Outgoing]) {
        for outgoing in outgoing {
            match outgoing {
                Outgoing::Payment(PaymentCommand::Charge {
                    payment_id, amount, ..
                }) => {
                    self.charges.push((*payment_id, *amount, false));
                }
                Outgoing::Payment(PaymentCommand::Refund { amount, .. }) => self.refunds += amount,
                Outgoing::Stock(StockCommand::Release { sub_order_id, .. }) => {
                    *self.released.entry(*sub_order_id).or_default() += 1;
                }
                Outgoing::Ship(command) => *self.shipped.entry(command.sub_order_id).or_default() += 1,
                _ => {}
            }
        }
    }

    /// The payment that is meant, and its amount: answers come of charges that were asked for, more than once perhaps.
    fn answer(&mut self, number: usize) -> Option<(PaymentId, i64)> {
        let (id, amount, answered) = self.charges.get_mut(number)?;
        *answered = true;
        Some((*id, *amount))
    }
}

/// Lets it happen. What is no news must leave the order as it is.
fn happen(order: &mut Order, told: &mut Told, event: &Event) {
    let before = order.clone();
    let id = |part: usize| before.sub_orders[part].id;
    let outgoing = match *event {
        Event::Answered(part, true) => order.answered(id(part), Ok(()), Duration::from_secs(1)),
        Event::Answered(part, false) => {
            order.answered(id(part), Err("short of s".to_owned()), Duration::from_secs(1))
        }
        Event::Pay => order.pay(PaymentId::new(), "visa".to_owned()).ok(),
        Event::Captured(number) => told
            .answer(number)
            .and_then(|(payment, amount)| order.captured(payment, amount)),
        Event::PaymentRefused(number) => told
            .answer(number)
            .and_then(|(payment, _)| order.payment_refused(payment, "no".to_owned())),
        Event::Due => order.payment_due(),
        Event::Shipped(part) => order.shipped(id(part)),
        Event::Delivered(part) => order.delivered(id(part)),
        Event::Refund(part, amount) => order.refund(RefundId::new(), id(part), amount).ok(),
        Event::Refunded(part, amount) => order.refunded(id(part), amount),
    };
    match outgoing {
        Some(outgoing) => told.hear(&outgoing),
        None => assert_eq!(*order, before, "{event:?} was refused and changed something"),
    }
}

fn assert_true_of(order: &Order, told: &Told) {
    let served = order
        .sub_orders
        .iter()
        .filter(|part| !matches!(part.state, SubOrderState::Refused | SubOrderState::Released));
    // A part that inventory never reserved does not count once the order is closed.
    if order.state != OrderState::Cancelled {
        assert_eq!(order.amount, served.map(|part| part.amount).sum::<i64>());
    } else {
        assert_eq!(order.amount, 0);
    }
    let sum = |of: fn(&SubOrder) -> i64| order.sub_orders.iter().map(of).sum::<i64>();
    assert_eq!(order.captured_amount, sum(|part| part.paid_amount));
    assert_eq!(order.refunded_amount, sum(|part| part.refunded_amount));
    assert_eq!(told.refunds, sum(|part| part.refund_requested));
    assert!([0, order.amount].contains(&order.captured_amount));
    for part in &order.sub_orders {
        assert!(part.refunded_amount <= part.refund_requested && part.refund_requested <= part.paid_amount);
        let times = |of: &BTreeMap<SubOrderId, u32>| of.get(&part.id).copied().unwrap_or_default();
        let (released, shipped) = (times(&told.released), times(&told.shipped));
        assert!(
            released + shipped <= 1,
            "{part:?} was released {released} times, shipped {shipped}"
        );
        assert_eq!(released == 1, part.state == SubOrderState::Released);
    }
    let outstanding = told.charges.iter().filter(|(.., answered)| !answered).count();
    assert!(outstanding <= 1, "{told:?}");
    assert_eq!(outstanding == 1, order.state == OrderState::Paying);
}

fn is_end(state: OrderState) -> bool {
    matches!(state, OrderState::Completed | OrderState::Cancelled)
}

proptest! {
    #[test]
    fn whatever_happens_the_books_of_an_order_balance(
        all_or_nothing: bool,
        pays_by_itself: bool,
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut order = order(all_or_nothing, pays_by_itself);
        let mut told = Told::default();
        told.hear(&order.placed());
        assert_true_of(&order, &told);
        for event in &events {
            let before = order.state;
            happen(&mut order, &mut told, event);
            assert_true_of(&order, &told);
            prop_assert!(!is_end(before) || order.state == before, "{before:?} was left by {event:?}");
        }
    }
}

/// The property above is worth something only if the events lead everywhere.
#[test]
fn an_order_goes_all_the_way() {
    let mut order = order(false, false);
    let mut told = Told::default();
    let answers = [true, true, false];
    let mut events: Vec<_> = (0..)
        .zip(answers)
        .map(|(part, yes)| Event::Answered(part, yes))
        .collect();
    events.extend([
        Event::Pay,
        Event::PaymentRefused(0),
        Event::Pay,
        Event::Due,
        Event::Captured(1),
    ]);
    events.extend([0, 1].map(Event::Shipped));
    events.extend([0, 1].map(Event::Delivered));
    events.extend([Event::Refund(0, 30), Event::Refund(0, 21), Event::Refunded(0, 30)]);
    for event in &events {
        happen(&mut order, &mut told, event);
        assert_true_of(&order, &told);
    }
    assert_eq!(order.state, OrderState::Completed);
    assert_eq!(
        (order.captured_amount, order.refunded_amount, told.refunds),
        (110, 30, 30)
    );
}
