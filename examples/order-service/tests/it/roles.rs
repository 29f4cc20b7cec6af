//! Each part of the service in a process of its own.

use order_service::orders::OrderState;

use crate::support::{Binary, Place, assert_books_balance, on_both, paid_order};

on_both!(five_processes_complete_an_order);

async fn five_processes_complete_an_order(place: Place) {
    let role = |role| Binary::serve_with(&place, &[("ROLE", role)]);
    let [orders, inventory, _payment, _shipping, _relay] =
        ["orders", "inventory", "payment", "shipping", "relay"].map(role);
    inventory.shop.stock("m", "s", 10).await;
    assert_eq!(
        orders.shop.get("/stock/m/s").await.status,
        404,
        "that is inventory's"
    );
    assert_eq!(
        inventory.shop.get("/orders").await.status,
        404,
        "that is the orders'"
    );
    let body = paid_order(&[("m", "s", 1, 300)]);
    orders.shop.placed_until(&body, OrderState::Completed).await;
    assert_books_balance(&place).await;
}

#[test]
fn a_queue_in_memory_wants_all_roles_in_one_process() {
    let place = Place::sqlite();
    let mut command = Binary::command(&[
        "serve",
        "--queue",
        "memory",
        "--role",
        "orders",
        "--bind",
        "127.0.0.1:0",
    ]);
    command.env("DATABASE_URL", place.url());
    let (code, stdout, stderr) = Binary::run(command);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(
        stderr.contains("a queue in memory reaches no other process"),
        "{stderr}"
    );
}

#[test]
fn a_role_that_there_is_not() {
    let (code, _, stderr) = Binary::run(Binary::command(&["serve", "--role", "orders,billing"]));
    assert_eq!(code, Some(2), "{stderr}");
    for part in [
        "'billing'",
        "--role",
        "orders, inventory, payment, shipping, loyalty, relay",
    ] {
        assert!(stderr.contains(part), "{part:?} is not in: {stderr}");
    }
}
