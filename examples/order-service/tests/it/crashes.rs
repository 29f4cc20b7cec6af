//! The process dies, or its queue forgets: nothing that was acknowledged is lost, and everything comes to rest.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use order_service::client::Client;
use order_service::events::{StockRefused, StockRequested, StockReserved};
use order_service::ids::OrderId;
use order_service::orders::OrderState;
use order_service::queue::{Queue, QueueKind};
use order_service::{Service, Setup, inventory, orders};
use outbox_core::{Capabilities, Event, Message, PublishError, Publisher, Subscriber};
use outbox_test_harness::environment;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::{Binary, Place, on_each_database, order, until};

on_each_database!(
    killed_in_the_middle_and_started_again_nothing_is_lost,
    killed_with_its_queue_in_memory_nothing_is_lost,
    requests_that_were_in_the_queue_are_handled_once,
    answers_that_were_in_the_queue_are_handled_once,
    requests_that_the_queue_forgot_are_asked_again,
    answers_that_the_queue_forgot_are_asked_for_again,
    what_was_forgotten_is_asked_again_by_the_first_start_on_the_durable_queue,
);

async fn killed_in_the_middle_and_started_again_nothing_is_lost(place: Place) {
    kill_and_start_again(&place, "database").await;
}

async fn killed_with_its_queue_in_memory_nothing_is_lost(place: Place) {
    kill_and_start_again(&place, "memory").await;
}

/// Kill -9 while orders are being placed, then start again; several times, on the same data.
async fn kill_and_start_again(place: &Place, queue: &str) {
    let serve = || Binary::serve_with(place, &[("QUEUE", queue)]);
    let rounds = if environment::is_full() { 50 } else { 5 };
    let mut acknowledged: Vec<OrderId> = Vec::new();
    for round in 0..rounds {
        let before = place.audit().await;
        let mut service = serve();
        for sku in ["a", "b", "c"] {
            service.client.put_stock("m1", sku, 1_000_000).await.unwrap();
            // Short soon, so that there are refusals among the answers.
            service.client.put_stock("m2", sku, 50).await.unwrap();
        }
        // The leases of those that were killed have run out, so that the next kill finds everybody at work.
        until(
            async || place.audit().await,
            |audit| audit.pending == 0 || audit.answered > before.answered,
        )
        .await;
        // From 10 to some more acknowledged orders, so that the kill finds each stage busy.
        let enough = 10 + fastrand::usize(..40);
        acknowledged.extend(place_until_killed(&mut service, enough).await);
        println!("round {round}: killed after {} orders in all", acknowledged.len());
    }

    let mut service = serve();
    until(async || place.audit().await, |audit| audit.pending == 0).await;
    let audit = place.audit().await;
    assert_eq!(audit.findings(), [""; 0]);
    assert!(audit.orders >= acknowledged.len() as i64, "{audit:?}");
    assert!(audit.refused > 0 && audit.completed > 0, "{audit:?}");
    for id in acknowledged {
        assert_ne!(service.client.order(id).await.unwrap().state, OrderState::Pending);
    }
    until(
        async || place.number("SELECT count(*) FROM outbox").await,
        |&pending| pending == 0,
    )
    .await;
    service.process.terminate().unwrap();
    assert!(
        service
            .process
            .wait_timeout(Duration::from_secs(60))
            .unwrap()
            .success()
    );
}

/// Eight buyers place orders; after `enough` of them were acknowledged the service is killed under their hands.
async fn place_until_killed(service: &mut Binary, enough: usize) -> Vec<OrderId> {
    let client = &service.client;
    let body = &order(&[("m1", "a", 1, 5), ("m1", "b", 2, 5), ("m2", "c", 1, 7)]);
    let place = || async move { client.place(&serde_json::from_value(body.clone()).unwrap()).await };
    let mut under_way: FuturesUnordered<_> = (0..8).map(|_| place()).collect();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < enough {
        acknowledged.push(under_way.next().await.unwrap().unwrap().id);
        under_way.push(place());
    }
    service.process.kill9().unwrap();
    // What was answered in the last moment counts, what was cut off doesn't.
    while let Some(last) = under_way.next().await {
        acknowledged.extend(last.ok().map(|order| order.id));
    }
    acknowledged
}

/// Kill -9 while `group` has everything still before it: all that was relayed is in the queue.
async fn kill_before_it_is_handled(place: &Place, group: &str, topics: &[&str]) {
    const ORDERS: i64 = 10;
    let database = place.open().await;
    let queue = database.queue().unwrap();
    let mut member = queue
        .subscribe(group, topics.iter().map(ToString::to_string))
        .await
        .unwrap();
    member.close().await.unwrap();
    queue.pause(group).await.unwrap();

    let mut service = Binary::serve(place);
    let client = &service.client;
    client.put_stock("m1", "s", 1_000).await.unwrap();
    for _ in 0..ORDERS {
        let body = order(&[("m1", "s", 3, 5), ("short", "s", 1, 7)]);
        assert_eq!(
            client.post_order(&body).await.unwrap().status,
            StatusCode::CREATED
        );
    }
    let unread = async || queue.group(group).await.unwrap().unread;
    until(unread, |&unread| unread == 2 * ORDERS as u64).await;
    let outbox = async || place.number("SELECT count(*) FROM outbox").await;
    until(outbox, |&pending| pending == 0).await;
    assert_eq!(place.audit().await.pending, ORDERS);
    service.process.kill9().unwrap();
    queue.resume(group).await.unwrap();

    let service = Binary::serve(place);
    let audit = until(async || place.audit().await, |audit| audit.pending == 0).await;
    assert_eq!(audit.findings(), [""; 0]);
    let stock = service.client.stock("m1", "s").await.unwrap();
    assert_eq!(stock.reserved, 3 * ORDERS);
    // An order, two requests, two answers: nobody had to ask or to answer again.
    let sent = place.number("SELECT count(*) FROM outbox_queue_message").await;
    assert_eq!(sent, 5 * ORDERS);
    until(outbox, |&pending| pending == 0).await;
    database.close().await;
}

async fn requests_that_were_in_the_queue_are_handled_once(place: Place) {
    kill_before_it_is_handled(&place, inventory::GROUP, &[StockRequested::TOPIC]).await;
}

async fn answers_that_were_in_the_queue_are_handled_once(place: Place) {
    kill_before_it_is_handled(
        &place,
        orders::GROUP,
        &[StockReserved::TOPIC, StockRefused::TOPIC],
    )
    .await;
}

/// A queue that says it has taken a message and forgets it: what a crash makes of a queue in memory.
struct Forgetful {
    queue: Arc<dyn Publisher>,
    topics: &'static [&'static str],
    forgot: Arc<Notify>,
}

#[async_trait]
impl Publisher for Forgetful {
    fn name(&self) -> &str {
        "forgetful"
    }

    fn capabilities(&self) -> Capabilities {
        self.queue.capabilities()
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        let mut answers = Vec::new();
        for message in batch {
            if self.topics.contains(&message.topic()) {
                self.forgot.notify_one();
                answers.push(Ok(()));
            } else {
                answers.extend(self.queue.publish(std::slice::from_ref(message)).await);
            }
        }
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        self.queue.probe().await
    }
}

async fn start(
    place: &Place,
    kind: QueueKind,
    forget: &'static [&'static str],
    forgot: &Arc<Notify>,
) -> Service {
    let database = place.open().await;
    let queue = Queue::new(kind, &database).unwrap();
    let setup = Setup {
        database,
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        publisher: Arc::new(Forgetful {
            queue: queue.publisher(),
            topics: forget,
            forgot: Arc::clone(forgot),
        }),
        queue,
        drain_notice: Duration::ZERO,
    };
    Service::start(setup).await.unwrap()
}

/// The queue in memory forgets `forget`; the next start is with a queue of the kind `then`.
async fn forget_and_start_again(place: &Place, forget: &'static [&'static str], then: QueueKind) {
    let forgot = Arc::new(Notify::new());
    let service = start(place, QueueKind::Memory, forget, &forgot).await;
    let client = Client::new(service.address());
    client.put_stock("m", "s", 5).await.unwrap();
    let id = client
        .place(&serde_json::from_value(order(&[("m", "s", 3, 1)])).unwrap())
        .await
        .unwrap()
        .id;
    forgot.notified().await;
    assert_eq!(client.order(id).await.unwrap().state, OrderState::Pending);
    service.stop().await.unwrap();

    let service = start(place, then, &[], &forgot).await;
    let client = Client::new(service.address());
    until(
        async || client.order(id).await.unwrap().state,
        |state| *state == OrderState::Completed,
    )
    .await;
    assert_eq!(client.stock("m", "s").await.unwrap().reserved, 3);
    service.stop().await.unwrap();
    assert_eq!(place.audit().await.findings(), [""; 0]);
}

async fn requests_that_the_queue_forgot_are_asked_again(place: Place) {
    forget_and_start_again(&place, &[StockRequested::TOPIC], QueueKind::Memory).await;
}

async fn what_was_forgotten_is_asked_again_by_the_first_start_on_the_durable_queue(place: Place) {
    forget_and_start_again(&place, &[StockRequested::TOPIC], QueueKind::Database).await;
}

async fn answers_that_the_queue_forgot_are_asked_for_again(place: Place) {
    forget_and_start_again(
        &place,
        &[StockReserved::TOPIC, StockRefused::TOPIC],
        QueueKind::Memory,
    )
    .await;
}
