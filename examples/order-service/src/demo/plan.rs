//! What is ordered, and what there is of it: the same for the same seed.

use std::collections::BTreeMap;

use crate::client::Client;
use crate::orders::{Item, PlaceOrder};

const MERCHANTS: usize = 10;
const ARTICLES_PER_MERCHANT: usize = 10;
/// An order names up to this many merchants, and up to as many articles of each.
const MERCHANTS_PER_ORDER: usize = 4;
const ARTICLES_PER_SUB_ORDER: usize = 3;
const QUANTITY: u32 = 5;
/// Of every this many articles one is short.
const SHORT_ONE_IN: usize = 10;
/// Of that article there is so much of what will be asked for.
const SHORT_PERCENT: u64 = 70;

/// Of every this many orders, the one with this number is not paid for at all, or with a card that is declined, or wants
/// a part of the money back, or all of it; and so on. By number and not by chance, so that a short run has each of them.
const ROUND: u32 = 20;
const NEVER_PAID: [u32; 2] = [3, 11];
const DECLINED: [u32; 2] = [5, 14];
const PART_REFUNDED: [u32; 2] = [7, 16];
const WHOLLY_REFUNDED: u32 = 9;
const ALL_OR_NOTHING: [u32; 3] = [1, 8, 15];
/// Of these the request is sent so many times.
const SENT_AGAIN: [u32; 3] = [2, 9, 17];
const POSTS: u32 = 3;

/// An order, and what its buyer does.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) order: PlaceOrder,
    /// The buyer's `Idempotency-Key`.
    pub(super) key: String,
    /// How many times it is sent.
    pub(super) posts: u32,
    /// What he wants later.
    pub(super) wish: Option<Wish>,
}

/// What a buyer wants after he has placed an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// To pay with another card than the one that was declined.
    PayAgain,
    /// His money for the first sub-order, a half of it; or the whole of all.
    Refund { whole: bool },
}

/// The orders of one run. They are made anew each time they are asked for, so a million of them take no memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    seed: u64,
    orders: u32,
}

impl Plan {
    pub(super) fn new(seed: u64, orders: u32) -> Self {
        Self { seed, orders }
    }

    /// All orders, in order.
    pub(super) fn orders(&self) -> impl Iterator<Item = Planned> + Send + use<> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        (0..self.orders).map(move |number| planned(number, &mut random))
    }

    /// Gives merchants what they need for all orders, but for some articles of which there is too little: so some
    /// orders must be refused, whichever come first. Returns how many units there are of all articles.
    pub(super) async fn stock(&self, client: &Client) -> anyhow::Result<i64> {
        let mut total = 0;
        for ((merchant, sku), units) in self.stocked() {
            client.put_stock(&merchant, &sku, units).await?;
            total += units;
        }
        Ok(total)
    }

    fn stocked(&self) -> impl Iterator<Item = ((String, String), i64)> {
        let mut asked: BTreeMap<(String, String), u64> = BTreeMap::new();
        for item in self.orders().flat_map(|planned| planned.order.items) {
            *asked.entry((item.merchant, item.sku)).or_default() += u64::from(item.quantity);
        }
        asked.into_iter().enumerate().map(|(index, (article, units))| {
            // The first article is short, however few there are.
            let there = if index % SHORT_ONE_IN == 0 {
                units * SHORT_PERCENT / 100
            } else {
                units
            };
            (article, there.try_into().unwrap_or(i64::MAX))
        })
    }
}

fn planned(number: u32, random: &mut fastrand::Rng) -> Planned {
    let place = number % ROUND;
    let wish = match place {
        place if DECLINED.contains(&place) => Some(Wish::PayAgain),
        place if PART_REFUNDED.contains(&place) => Some(Wish::Refund { whole: false }),
        WHOLLY_REFUNDED => Some(Wish::Refund { whole: true }),
        _ => None,
    };
    Planned {
        order: order(number, random),
        key: format!("order-{number}-{:016x}", random.u64(..)),
        posts: if SENT_AGAIN.contains(&place) { POSTS } else { 1 },
        wish,
    }
}

fn order(number: u32, random: &mut fastrand::Rng) -> PlaceOrder {
    let place = number % ROUND;
    let merchants = random.usize(1..=MERCHANTS_PER_ORDER);
    let merchants = random.choose_multiple(0..MERCHANTS, merchants);
    let items = merchants.into_iter().flat_map(|merchant| {
        let articles = random.usize(1..=ARTICLES_PER_SUB_ORDER);
        let articles = random.choose_multiple(0..ARTICLES_PER_MERCHANT, articles);
        articles
            .into_iter()
            .map(|article| Item {
                merchant: format!("merchant-{merchant}"),
                sku: format!("article-{article}"),
                quantity: random.u32(1..=QUANTITY),
                unit_price: random.i64(1..=10_000),
            })
            .collect::<Vec<_>>()
    });
    PlaceOrder {
        buyer: format!("buyer-{}", number % 100),
        items: items.collect(),
        all_or_nothing: ALL_OR_NOTHING.contains(&place),
        payment_method: match place {
            place if NEVER_PAID.contains(&place) => None,
            place if DECLINED.contains(&place) => Some("declined".to_owned()),
            _ => Some("card".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_orders() {
        let items = |seed| {
            Plan::new(seed, 50)
                .orders()
                .map(|planned| planned.order.items)
                .collect::<Vec<_>>()
        };
        assert_eq!(items(7), items(7));
        assert_ne!(items(7), items(8));
    }

    #[test]
    fn every_order_can_be_placed_and_something_is_always_short() {
        for orders in [1, 2, 500] {
            let plan = Plan::new(1, orders);
            assert!(plan.orders().all(|planned| planned.order.errors().is_empty()));
            let asked: u32 = plan
                .orders()
                .flat_map(|planned| planned.order.items)
                .map(|item| item.quantity)
                .sum();
            let there: i64 = plan.stocked().map(|(_, units)| units).sum();
            assert!(there < i64::from(asked), "{there} of {asked}");
        }
    }
}
