use super::{Place, until};

/// How many rows a condition finds: `count(place, "stock WHERE on_hand = 0")`.
pub(crate) async fn count(place: &Place, rows: &str) -> i64 {
    place.number(&format!("SELECT count(*) FROM {rows}")).await
}

/// Waits until nothing is under way: all orders but those that wait for their buyer are at an end, and so is every
/// reservation.
pub(crate) async fn at_rest(place: &Place) {
    let under_way = "main_order AS o WHERE o.state IN ('pending', 'paying', 'paid') \
        OR (o.state = 'completed' AND EXISTS (SELECT 1 FROM reservation AS r WHERE r.order_id = o.id AND r.state = 'reserved')) \
        OR (o.state = 'cancelled' AND EXISTS (SELECT 1 FROM reservation AS r WHERE r.order_id = o.id AND r.state = 'reserved')) \
        OR EXISTS (SELECT 1 FROM sub_order AS s WHERE s.order_id = o.id AND s.refunded_amount < s.refund_requested)";
    until(async || count(place, under_way).await, |&left| left == 0).await;
}

/// What has to be true of the books at rest, each as the rows that break it.
const BROKEN: [(&str, &str); 10] = [
    (
        "articles whose parts are not what lies in the warehouse",
        "stock WHERE available + reserved <> on_hand",
    ),
    (
        "articles of which other units are set aside than buyers were told",
        "stock AS a WHERE a.reserved <> (SELECT coalesce(sum(l.quantity), 0) FROM reservation_line AS l \
         JOIN reservation AS r ON r.sub_order_id = l.sub_order_id \
         WHERE r.state = 'reserved' AND l.merchant = a.merchant AND l.sku = a.sku)",
    ),
    (
        "articles of which other units left than were sold",
        "stock AS a WHERE a.sold <> (SELECT coalesce(sum(l.quantity), 0) FROM reservation_line AS l \
         JOIN reservation AS r ON r.sub_order_id = l.sub_order_id \
         WHERE r.state = 'sold' AND l.merchant = a.merchant AND l.sku = a.sku)",
    ),
    (
        "orders whose amount is not the sum of what is served",
        "main_order AS o WHERE o.amount <> (SELECT coalesce(sum(s.amount), 0) FROM sub_order AS s \
         WHERE s.order_id = o.id AND s.state NOT IN ('refused', 'released'))",
    ),
    (
        "orders that hold other money than their sub-orders",
        "main_order AS o WHERE o.captured_amount <> (SELECT coalesce(sum(s.paid_amount), 0) FROM sub_order AS s \
         WHERE s.order_id = o.id) OR o.refunded_amount <> (SELECT coalesce(sum(s.refunded_amount), 0) \
         FROM sub_order AS s WHERE s.order_id = o.id)",
    ),
    (
        "orders for which payment captured something else",
        "main_order AS o WHERE o.captured_amount <> (SELECT coalesce(sum(p.amount), 0) FROM payment AS p \
         WHERE p.order_id = o.id AND p.state = 'captured') OR o.refunded_amount <> \
         (SELECT coalesce(sum(p.refunded_amount), 0) FROM payment AS p WHERE p.order_id = o.id)",
    ),
    (
        "charges that no order knows of",
        "gateway_operation AS g WHERE g.kind = 'charge' AND g.outcome = 'captured' AND NOT EXISTS \
         (SELECT 1 FROM main_order AS o WHERE o.payment_id = g.idempotency_key AND o.captured_amount = g.amount)",
    ),
    (
        "orders whose money the provider never took",
        "main_order AS o WHERE o.captured_amount > 0 AND NOT EXISTS (SELECT 1 FROM gateway_operation AS g \
         WHERE g.idempotency_key = o.payment_id AND g.kind = 'charge' AND g.outcome = 'captured')",
    ),
    (
        "orders to which the provider gave other money back",
        "main_order AS o WHERE o.payment_id IS NOT NULL AND o.refunded_amount <> \
         (SELECT coalesce(sum(g.amount), 0) FROM gateway_operation AS g \
         WHERE g.charge_key = o.payment_id AND g.kind = 'refund')",
    ),
    (
        "reservations that are not what became of their orders",
        "reservation AS r JOIN main_order AS o ON o.id = r.order_id WHERE \
         (o.state = 'completed' AND r.state NOT IN ('sold', 'refused')) \
         OR (o.state = 'cancelled' AND r.state NOT IN ('released', 'refused'))",
    ),
];

/// Waits for the end of everything, and checks the books.
pub(crate) async fn assert_books_balance(place: &Place) {
    at_rest(place).await;
    let mut findings = Vec::new();
    for (what, rows) in BROKEN {
        match count(place, rows).await {
            0 => {}
            broken => findings.push(format!("{broken} {what}")),
        }
    }
    assert_eq!(findings, [""; 0]);
}
