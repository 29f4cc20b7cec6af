//! Effects happen once, whatever comes how often and at the same time. Without a relay, so that what is in the outbox
//! can be counted.

use futures_util::future::join_all;
use order_service::events::StockRequested;
use order_service::orders::{Answer, Item, Order, OrderState, ask_again};
use outbox_core::MessageId;
use outbox_sqlx::Outbox;

use crate::support::{Place, on_each_database};

on_each_database!(
    a_request_that_comes_again_reserves_nothing_more,
    a_request_in_another_message_gets_the_same_answer,
    requests_that_name_articles_in_opposite_orders_meet_no_deadlock,
    of_contradicting_answers_the_first_counts,
    the_last_two_answers_at_once_complete_the_order,
    what_can_t_be_told_is_not_done,
    what_is_still_on_its_way_is_not_asked_again,
);

const ANSWERS: &str = "SELECT count(*) FROM outbox WHERE topic LIKE 'inventory.stock-re%ed' AND topic <> 'inventory.stock-requested'";

fn new_order(merchants: usize) -> Order {
    let item = |number| Item {
        merchant: format!("m{number}"),
        sku: "s".to_owned(),
        quantity: 3,
        unit_price: 10,
    };
    Order::place("ann".to_owned(), (0..merchants).map(item).collect())
}

fn request() -> StockRequested {
    new_order(1).stock_requests().next().unwrap()
}

async fn a_request_that_comes_again_reserves_nothing_more(place: Place) {
    let database = place.open().await;
    let store = database.inventory(&Outbox::new());
    store.put_stock("m0", "s", 100).await.unwrap();
    let (message, request) = (MessageId::new(), request());
    for again in join_all((0..20).map(|_| store.reserve(message, &request))).await {
        again.unwrap();
    }
    assert_eq!(store.find_stock("m0", "s").await.unwrap().unwrap().reserved, 3);
    assert_eq!(place.number(ANSWERS).await, 1, "a duplicate emits nothing");
}

async fn a_request_in_another_message_gets_the_same_answer(place: Place) {
    let database = place.open().await;
    let store = database.inventory(&Outbox::new());
    let request = request();
    store.reserve(MessageId::new(), &request).await.unwrap();
    // By now there would be enough; but the answer was given.
    store.put_stock("m0", "s", 100).await.unwrap();
    store.reserve(MessageId::new(), &request).await.unwrap();
    assert_eq!(store.find_stock("m0", "s").await.unwrap().unwrap().reserved, 0);
    let refusals = "SELECT count(*) FROM outbox WHERE topic = 'inventory.stock-refused'";
    assert_eq!(
        (place.number(refusals).await, place.number(ANSWERS).await),
        (2, 2)
    );
}

async fn requests_that_name_articles_in_opposite_orders_meet_no_deadlock(place: Place) {
    const ARTICLES: usize = 10;
    const REQUESTS: usize = 40;
    let database = place.open().await;
    let store = database.inventory(&Outbox::new());
    let articles: Vec<String> = (0..ARTICLES).map(|number| format!("s{number}")).collect();
    for sku in &articles {
        store.put_stock("m", sku, 1_000).await.unwrap();
    }
    let requests: Vec<StockRequested> = (0..REQUESTS)
        .map(|number| {
            let item = |sku: &String| Item {
                merchant: "m".to_owned(),
                sku: sku.clone(),
                quantity: 1,
                unit_price: 10,
            };
            let mut items: Vec<Item> = articles.iter().map(item).collect();
            if number % 2 == 1 {
                items.reverse();
            }
            let order = Order::place("ann".to_owned(), items);
            order.stock_requests().next().unwrap()
        })
        .collect();
    let reserved = requests
        .iter()
        .map(|request| store.reserve(MessageId::new(), request));
    for reserved in join_all(reserved).await {
        reserved.unwrap();
    }
    for sku in &articles {
        let stock = store.find_stock("m", sku).await.unwrap().unwrap();
        assert_eq!(stock.reserved, REQUESTS as i64);
    }
}

async fn of_contradicting_answers_the_first_counts(place: Place) {
    let database = place.open().await;
    let store = database.orders(&Outbox::new());
    let order = new_order(2);
    store.place(&order).await.unwrap();
    let [first, second] = [order.sub_orders[0].id, order.sub_orders[1].id];
    let refused = Answer::Refused {
        reason: "short of s".to_owned(),
    };
    assert!(store.answer(order.id, first, &refused).await.unwrap());
    assert!(!store.answer(order.id, first, &Answer::Reserved).await.unwrap());
    assert!(!store.answer(order.id, first, &refused).await.unwrap());
    let half = store.find(order.id).await.unwrap().unwrap();
    assert_eq!((half.state, half.amount), (OrderState::Pending, 30));
    assert!(store.answer(order.id, second, &Answer::Reserved).await.unwrap());
    assert!(!store.answer(order.id, second, &refused).await.unwrap());
    let whole = store.find(order.id).await.unwrap().unwrap();
    assert_eq!((whole.state, whole.amount), (OrderState::Completed, 30));
}

async fn the_last_two_answers_at_once_complete_the_order(place: Place) {
    let database = place.open().await;
    let store = &database.orders(&Outbox::new());
    for _ in 0..30 {
        let order = new_order(4);
        store.place(&order).await.unwrap();
        let answers = order
            .sub_orders
            .iter()
            .map(|part| store.answer(order.id, part.id, &Answer::Reserved));
        for answered in join_all(answers).await {
            assert!(answered.unwrap());
        }
        assert_eq!(
            store.find(order.id).await.unwrap().unwrap().state,
            OrderState::Completed
        );
    }
}

async fn what_can_t_be_told_is_not_done(place: Place) {
    let database = place.open().await;
    let outbox = Outbox::new();
    let (orders, inventory) = (database.orders(&outbox), database.inventory(&outbox));
    inventory.put_stock("m0", "s", 100).await.unwrap();
    let order = new_order(1);
    let request = order.stock_requests().next().unwrap();

    place.execute("ALTER TABLE outbox RENAME TO outbox_away").await;
    orders.place(&order).await.unwrap_err();
    inventory.reserve(MessageId::new(), &request).await.unwrap_err();
    assert_eq!(orders.find(order.id).await.unwrap(), None);
    assert_eq!(place.number("SELECT count(*) FROM reservation").await, 0);
    assert_eq!(
        inventory.find_stock("m0", "s").await.unwrap().unwrap().reserved,
        0
    );

    place.execute("ALTER TABLE outbox_away RENAME TO outbox").await;
    orders.place(&order).await.unwrap();
    inventory.reserve(MessageId::new(), &request).await.unwrap();
    assert_eq!(
        inventory.find_stock("m0", "s").await.unwrap().unwrap().reserved,
        3
    );
    assert_eq!(place.number("SELECT count(*) FROM outbox").await, 3);
}

async fn what_is_still_on_its_way_is_not_asked_again(place: Place) {
    let database = place.open().await;
    let store = database.orders(&Outbox::new());
    // More than one page.
    for _ in 0..60 {
        store.place(&new_order(10)).await.unwrap();
    }
    let requests = "SELECT count(*) FROM outbox WHERE topic = 'inventory.stock-requested'";
    assert_eq!(ask_again(&*store).await.unwrap(), 0);
    assert_eq!(place.number(requests).await, 600);

    // As if these had been handed to a queue that forgot them.
    place
        .execute("DELETE FROM outbox WHERE topic = 'inventory.stock-requested' AND id % 3 = 0")
        .await;
    let left = place.number(requests).await;
    assert_eq!(ask_again(&*store).await.unwrap(), (600 - left) as u64);
    assert_eq!(place.number(requests).await, 600);
    assert_eq!(ask_again(&*store).await.unwrap(), 0);
}
