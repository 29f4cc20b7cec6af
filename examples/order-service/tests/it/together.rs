//! Two processes of the service on one server: they share the work, and one goes on where the other has died.

use futures_util::future::join_all;
use order_service::database::Database;
use order_service::{inventory, orders};
use outbox_test_harness::ChildProcess;

use crate::support::{Binary, Place, SOON, on_each_server, order, until};

on_each_server!(
    whoever_comes_first_makes_the_tables,
    both_handle_what_either_has_taken,
    one_goes_on_where_the_other_was_killed,
);

const ORDERS: usize = 40;

/// Several start at once, on a database without tables.
async fn whoever_comes_first_makes_the_tables(place: Place) {
    let started = (0..4).map(|_| Database::open(place.url()));
    for database in join_all(started).await {
        database.unwrap().close().await;
    }
}

async fn both_handle_what_either_has_taken(place: Place) {
    let mut services = both(&place).await;
    let placed = services.iter().map(place_orders);
    join_all(placed).await;
    let audit = until(async || place.audit().await, |audit| audit.pending == 0).await;
    assert_eq!((audit.orders, audit.findings()), (2 * ORDERS as i64, vec![]));
    for service in &mut services {
        service.process.terminate().unwrap();
    }
    for group in [inventory::GROUP, orders::GROUP] {
        let handled: Vec<u64> = services
            .iter_mut()
            .map(|service| handled(&mut service.process, group))
            .collect();
        assert!(
            handled.iter().all(|&messages| messages > 0),
            "{group}: {handled:?}"
        );
        // A queue that changes hands may be a reason to hand something out twice.
        assert!(
            handled.iter().sum::<u64>() >= 4 * ORDERS as u64,
            "{group}: {handled:?}"
        );
    }
}

async fn one_goes_on_where_the_other_was_killed(place: Place) {
    let mut services = both(&place).await;
    for service in &services {
        place_orders(service).await;
    }
    services[0].process.kill9().unwrap();
    place_orders(&services[1]).await;
    let audit = until(async || place.audit().await, |audit| audit.pending == 0).await;
    assert_eq!((audit.orders, audit.findings()), (3 * ORDERS as i64, vec![]));
}

/// Two processes, of which each has a part of every group's queues.
async fn both(place: &Place) -> [Binary; 2] {
    let services = [Binary::serve(place), Binary::serve(place)];
    let sharing = "SELECT min(members) FROM \
        (SELECT count(DISTINCT owner) AS members FROM outbox_group_queue GROUP BY group_id) AS shares";
    until(async || place.number(sharing).await, |&members| members == 2).await;
    services[0].client.put_stock("m1", "s", 1_000).await.unwrap();
    services
}

/// Orders with a part that can be had and one that can't.
async fn place_orders(service: &Binary) {
    let body = order(&[("m1", "s", 1, 5), ("short", "s", 1, 7)]);
    for _ in 0..ORDERS {
        service
            .client
            .place(&serde_json::from_value(body.clone()).unwrap())
            .await
            .unwrap();
    }
}

/// How many messages the process has handled for the group, as it says when it stops.
fn handled(process: &mut ChildProcess, group: &str) -> u64 {
    assert!(
        process.wait_timeout(SOON).unwrap().success(),
        "{}",
        process.log_tail()
    );
    let log = std::fs::read_to_string(process.stderr_log()).unwrap();
    let line = log
        .lines()
        .find(|line| line.contains("the consumer stopped") && line.contains(group))
        .unwrap();
    let (before, _) = line.split_once(" handled").unwrap();
    before.rsplit_once(' ').unwrap().1.parse().unwrap()
}
