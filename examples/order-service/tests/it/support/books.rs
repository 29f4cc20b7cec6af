use order_service::audit::Audit;

use super::{Place, until};

/// How many rows a condition finds: `count(place, "stock WHERE on_hand = 0")`.
pub(crate) async fn count(place: &Place, rows: &str) -> i64 {
    place.number(&format!("SELECT count(*) FROM {rows}")).await
}

/// Waits until everybody who has to has handled every message, and checks the books. Orders that wait for their buyer are no
/// fault.
pub(crate) async fn assert_books_balance(place: &Place) {
    let database = place.open().await;
    let audit = async || Audit::of(&database).await.unwrap();
    let at_rest = until(audit, |audit| audit.unhandled == 0).await;
    database.close().await;
    assert_eq!(at_rest.findings(), [""; 0]);
}
