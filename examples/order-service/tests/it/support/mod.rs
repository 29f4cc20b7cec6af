//! What the tests have in common.

mod binary;
mod books;
mod page;
mod place;
mod publish;
mod shop;
mod wait;

pub(crate) use binary::Binary;
pub(crate) use books::{assert_books_balance, count};
pub(crate) use page::Page;
pub(crate) use place::Place;
pub(crate) use publish::publish;
pub(crate) use shop::Shop;
pub(crate) use wait::{SOON, until};

use serde_json::{Value, json};

/// Runs a test that is a future. Several threads, because the harness blocks.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

/// Makes of each `async fn test(place: Place)` a test per database.
macro_rules! on_each_database {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { crate::support::run(super::$test(crate::support::Place::sqlite())); })+
        }
        crate::support::on_each_server!($($test),+);
    };
}
pub(crate) use on_each_database;

/// Makes of each `async fn test(place: Place)` a test on a SQLite file with the lock in memory, and one on Postgres with
/// the lock in a Redis: the two ways to run the service.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { crate::support::run(super::$test(crate::support::Place::sqlite())); })+
        }
        mod postgres_and_redis {
            $(#[test] fn $test() {
                let Some(place) = crate::support::Place::postgres_with_redis() else { return };
                crate::support::run(super::$test(place));
            })+
        }
    };
}
pub(crate) use on_both;

/// On MySQL, beside others.
macro_rules! and_on_mysql {
    ($($test:ident),+ $(,)?) => {
        mod mysql {
            $(#[test] fn $test() {
                let Some(place) = crate::support::Place::mysql() else { return };
                crate::support::run(super::$test(place));
            })+
        }
    };
}
pub(crate) use and_on_mysql;

/// The same, for what one file can't do.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        mod postgres {
            $(#[test] fn $test() {
                let Some(place) = crate::support::Place::postgres() else { return };
                crate::support::run(super::$test(place));
            })+
        }
        crate::support::and_on_mysql!($($test),+);
    };
}
pub(crate) use on_each_server;

/// The body of an order: merchant, article, quantity, price.
pub(crate) fn order(items: &[(&str, &str, i64, i64)]) -> Value {
    let item = |(merchant, sku, quantity, unit_price): &(&str, &str, i64, i64)| json!({ "merchant": merchant, "sku": sku, "quantity": quantity, "unit_price": unit_price });
    json!({ "buyer": "ann", "items": items.iter().map(item).collect::<Vec<_>>() })
}

/// An order of what every test has on its shelves, that pays for itself.
pub(crate) fn paid_order(items: &[(&str, &str, i64, i64)]) -> Value {
    let mut body = order(items);
    body["payment_method"] = json!("visa");
    body
}
