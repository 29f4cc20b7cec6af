//! The audit finds what does not balance, and nothing else.

use order_service::orders::OrderState;

use crate::support::{Binary, Place, Shop, assert_books_balance, on_each_database, paid_order};

on_each_database!(what_does_not_balance_is_found);

/// Statements that spoil the books, what is found then, and statements that mend them.
const SPOILT: [(&[&str], &str, &[&str]); 4] = [
    (
        &["UPDATE stock SET sold = sold + 1"],
        "2 units of stock were taken more than once",
        &["UPDATE stock SET sold = sold - 1"],
    ),
    // A part that is still on its way, as shipping says too, of an order that is completed.
    (
        &[
            "UPDATE sub_order SET state = 'shipped' WHERE merchant = 'm1'",
            "UPDATE shipment SET state = 'shipped' WHERE merchant = 'm1'",
        ],
        "1 sub-orders are not what their order, inventory or shipping say",
        &[
            "UPDATE sub_order SET state = 'delivered' WHERE merchant = 'm1'",
            "UPDATE shipment SET state = 'delivered' WHERE merchant = 'm1'",
        ],
    ),
    // The sum is right, and each order has what belongs to the other.
    (
        &[
            "UPDATE sub_order SET refunded_amount = 10, refund_requested = 10 WHERE merchant = 'm1'",
            "UPDATE sub_order SET refunded_amount = 30, refund_requested = 30 WHERE merchant = 'm2'",
            "UPDATE main_order SET refunded_amount = 40 - refunded_amount",
        ],
        "2 payments gave back something else than was noted",
        &[
            "UPDATE sub_order SET refunded_amount = 30, refund_requested = 30 WHERE merchant = 'm1'",
            "UPDATE sub_order SET refunded_amount = 10, refund_requested = 10 WHERE merchant = 'm2'",
            "UPDATE main_order SET refunded_amount = 40 - refunded_amount",
        ],
    ),
    (
        &["UPDATE journal_handled SET group_name = 'nobody' WHERE group_name = 'payment'"],
        "4 messages were not handled by everybody who has to",
        &["UPDATE journal_handled SET group_name = 'payment' WHERE group_name = 'nobody'"],
    ),
];

async fn what_does_not_balance_is_found(place: Place) {
    let service = Binary::serve(&place);
    refunded(&service.shop, "m1", 30).await;
    refunded(&service.shop, "m2", 10).await;
    assert_books_balance(&place).await;
    for (spoil, finding, mend) in SPOILT {
        for statement in spoil {
            place.execute(statement).await;
        }
        assert_eq!(place.audit().await.findings(), [finding]);
        for statement in mend {
            place.execute(statement).await;
        }
        assert_eq!(place.audit().await.findings(), [""; 0], "{mend:?}");
    }
}

/// A completed order of this merchant, of which so much goes back.
async fn refunded(shop: &Shop, merchant: &str, amount: i64) {
    shop.stock(merchant, "s", 5).await;
    let body = paid_order(&[(merchant, "s", 1, 100)]);
    let order = shop.placed_until(&body, OrderState::Completed).await;
    assert_eq!(shop.refund(&order, 0, amount).await.status, 202);
}
