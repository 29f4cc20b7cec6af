//! `GET /orders/{id}/messages`: the journey of every message of an order.

use order_service::journal::{Step, StepState};
use order_service::orders::OrderState;
use serde_json::json;

use crate::support::{Binary, Place, Shop, on_both, order, paid_order, until};

on_both!(
    every_message_of_a_completed_order_is_handled_once_and_confirmed,
    a_message_whose_consumer_is_stopped_is_sent_again_until_it_is_confirmed,
    a_message_that_failed_for_good_is_shown_and_can_be_given_back,
);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn every_message_of_a_completed_order_is_handled_once_and_confirmed(place: Place) {
    // The payment is on its way before its time is over, so the timer changes nothing; but it is heard.
    let service = Binary::serve_with(&place, &[("PAY_WITHIN", "0.5")]);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let body = paid_order(&[("m", "s", 1, 100)]);
    let placed = shop
        .post("/orders", &[("traceparent", &traceparent)], &body)
        .await;
    assert!(placed.header("traceparent").unwrap().contains(TRACE));
    let id = serde_json::from_value(placed.body["id"].clone()).unwrap();
    shop.in_state(id, OrderState::Completed).await;
    // The timer comes when it comes.
    let timer = async || {
        let steps = shop.steps(id).await.into_iter();
        steps
            .filter(|step| step.name == "payment due" && !step.handled.is_empty())
            .count()
    };
    until(timer, |&heard| heard == 1).await;
    let steps = shop.arrived(id).await;

    let mut journeys: Vec<_> = steps
        .iter()
        .map(|step| {
            let mut groups: Vec<_> = step
                .handled
                .iter()
                .map(|handled| handled.group.as_str())
                .collect();
            groups.sort_unstable();
            (step.topic.as_str(), step.name.as_str(), groups.join(" "))
        })
        .collect();
    journeys.sort_unstable();
    let journeys: Vec<_> = journeys
        .iter()
        .map(|(topic, name, groups)| (*topic, *name, groups.as_str()))
        .collect();
    assert_eq!(
        journeys,
        [
            ("inventory.answers", "stock reserved", "orders"),
            ("inventory.commands", "reserve stock", "inventory"),
            ("orders.events", "awaiting payment", ""),
            ("orders.events", "completed", ""),
            ("orders.events", "paid", ""),
            ("orders.events", "placed", ""),
            ("orders.payment-due", "payment due", "orders"),
            ("payment.answers", "payment captured", "orders"),
            ("payment.commands", "charge", "payment"),
            ("shipping.carrier", "carrier is there", "shipping"),
            ("shipping.commands", "ship", "shipping"),
            ("shipping.events", "delivered", "inventory orders"),
            ("shipping.events", "shipped", "inventory orders"),
        ]
    );
    for step in &steps {
        assert_eq!(step.trace_id.as_deref(), Some(TRACE), "{step:?}");
        assert!(
            step.handled.iter().all(|handled| handled.attempt == 1),
            "{step:?}"
        );
        if step.topic != "orders.events" {
            assert!(
                step.handled.iter().all(|handled| handled.confirmed_at.is_some()),
                "{step:?}"
            );
        }
    }
}

async fn named(shop: &Shop, id: order_service::ids::OrderId, name: &str) -> Option<Step> {
    shop.steps(id).await.into_iter().find(|step| step.name == name)
}

async fn a_message_whose_consumer_is_stopped_is_sent_again_until_it_is_confirmed(place: Place) {
    let service = Binary::serve_with(&place, &[("CONFIRM_WITHIN", "0.3")]);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    shop.run_consumer("inventory", false).await;
    let id = shop.place(&order(&[("m", "s", 1, 100)])).await.id;
    let reserve = async || named(shop, id, "reserve stock").await.unwrap();
    let step = until(reserve, |step| step.resends >= 2).await;
    assert_eq!(step.state, StepState::Delivered);
    assert_eq!(
        (step.missing.as_slice(), step.handled.len()),
        (&["inventory".to_owned()][..], 0)
    );

    shop.run_consumer("inventory", true).await;
    let step = until(reserve, |step| step.state == StepState::Confirmed).await;
    assert_eq!((step.missing.len(), step.handled.len()), (0, 1));
    shop.in_state(id, OrderState::AwaitingPayment).await;
    assert_eq!(
        shop.shelf("m", "s").await,
        [5, 4, 1, 0],
        "what came again changed nothing"
    );
}

async fn a_message_that_failed_for_good_is_shown_and_can_be_given_back(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    shop.faults(json!({ "fail": { "inventory": 1 } })).await;
    let id = shop.place(&order(&[("m", "s", 1, 100)])).await.id;
    let reserve = async || named(shop, id, "reserve stock").await.unwrap();
    let step = until(reserve, |step| step.state == StepState::Dead).await;
    assert!(step.error.unwrap().contains("a fault was injected"));
    assert_eq!(shop.order(id).await.state, OrderState::Pending);
    let letters = shop.get("/playground/dead-letters").await.body;
    assert_eq!(letters.as_array().unwrap().len(), 1, "{letters}");

    let reply = shop
        .post("/playground/dead-letters/redrive-all", &[], &json!(null))
        .await;
    assert_eq!((reply.status, &reply.body["redriven"]), (200, &1.into()));
    until(reserve, |step| step.state == StepState::Confirmed).await;
    shop.in_state(id, OrderState::AwaitingPayment).await;
    assert_eq!(shop.get("/playground/dead-letters").await.body, json!([]));
}
