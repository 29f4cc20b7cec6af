//! The page in a real browser, as people use it. On SQLite, with the queue in the database: nothing else is needed.

use fantoccini::key::Key;
use outbox_test_harness::browser::Window;
use serde_json::json;

use crate::support::{Binary, Page, Place, run, until};

/// The state of the newest order, on the first page.
const NEWEST: &str = ".order .chip";

/// Runs a test that uses the page, with the shelves stocked.
fn with_page(window: Window, test: impl AsyncFnOnce(&Page, &Binary)) {
    run(async {
        let place = Place::sqlite();
        let service = Binary::serve_with(&place, &[("TRANSIT", "0.2")]);
        let Some(page) = Page::open(&service, window).await else {
            return;
        };
        page.press("#stock").await;
        page.sees("#notice", "stocked").await;
        test(&page, &service).await;
        page.close().await;
        // What is still under way comes to rest, and then the books are right.
        until(async || place.audit().await.findings(), Vec::is_empty).await;
    });
}

#[test]
fn an_order_is_placed_and_completes_without_a_reload() {
    with_page(Window::Desktop, async |page, service| {
        page.run("window.loadedOnce = true", json!([])).await;
        page.press("#place-button").await;
        page.sees(NEWEST, "completed").await;
        page.sees(".order .parts", "delivered").await;
        assert_eq!(page.run("return window.loadedOnce", json!([])).await, true);

        page.go_to_newest_order().await;
        // Each merchant's part was asked for, and the sender knows that it was heard.
        page.sees(".journey", "handled by inventory").await;
        page.sees(".step:nth-child(2)", "confirmed").await;
        assert_eq!(service.client.newest(9).await.unwrap().len(), 1);
    });
}

#[test]
fn who_clicks_twice_buys_once() {
    with_page(Window::Desktop, async |page, service| {
        let twice = "for (const _ of [1, 2]) document.getElementById('place-button').click()";
        page.run(twice, json!([])).await;
        page.sees(NEWEST, "completed").await;
        assert_eq!(service.client.newest(9).await.unwrap().len(), 1);
    });
}

#[test]
fn a_refused_payment_is_told_and_made_again() {
    with_page(Window::Desktop, async |page, _| {
        page.press("#pay-declined").await;
        page.press("#place-button").await;
        page.sees(".order .sum", "the card was declined").await;
        page.go_to_newest_order().await;
        page.sees("#state", "awaiting payment").await;
        page.press("#pay-declined").await;
        page.sees("#notice", "Payment was asked").await;
        // The button asks for the same payment again until the page has seen what became of this one.
        page.sees_steps("payment refused", 2).await;
        page.sees("#state", "awaiting payment").await;
        page.press("#pay").await;
        page.sees("#state", "completed").await;

        // And a part of the money goes back.
        page.press(".refund button").await;
        page.sees(".facts", "Refunded").await;
    });
}

#[test]
fn what_is_sent_to_a_stopped_consumer_waits_for_it() {
    with_page(Window::Desktop, async |page, _| {
        page.press("#run-inventory").await;
        page.sees("#run-inventory", "Start").await;
        page.press("#place-button").await;
        page.sees(NEWEST, "checking stock").await;
        page.go_to_newest_order().await;
        page.sees(".journey", "waits for inventory").await;
        page.sees("#state", "checking stock").await;

        page.go_home().await;
        page.press("#run-inventory").await;
        page.sees("#run-inventory", "Stop").await;
        page.sees(NEWEST, "completed").await;
    });
}

#[test]
fn a_dead_letter_appears_and_goes_on_when_it_is_redriven() {
    with_page(Window::Desktop, async |page, _| {
        page.press("#basket-book").await;
        page.press("#fail-shipping").await;
        page.sees("#fail-shipping", "1 planned").await;
        page.press("#place-button").await;
        page.sees("#dead-letters", "a fault was injected").await;
        page.sees(NEWEST, "paid, on its way").await;
        page.press("#dead-letters .letters button.primary").await;
        page.sees_no("#dead-letters").await;
        page.sees(NEWEST, "completed").await;
    });
}

#[test]
fn a_message_that_comes_again_changes_nothing() {
    with_page(Window::Desktop, async |page, service| {
        page.press("#basket-book").await;
        page.press("#place-button").await;
        page.sees(NEWEST, "completed").await;
        let before = page.text(".order").await;
        page.press("#deliver-again").await;
        page.sees("#notice", "was delivered once more").await;

        // Of the next order all is heard after what came again.
        page.press("#place-button").await;
        page.sees(".order:nth-of-type(1) .chip", "completed").await;
        page.sees(".order:nth-of-type(2) .chip", "completed").await;
        assert_eq!(page.text(".order:nth-of-type(2)").await, before);
        // Inventory may hear of a shipment after orders has.
        let book = async || service.client.stock("bookshop", "slow-mornings").await.unwrap();
        let book = until(book, |book| book.reserved == 0).await;
        assert_eq!((book.on_hand, book.sold), (18, 2));
    });
}

#[test]
fn an_order_is_placed_by_keyboard_alone() {
    with_page(Window::Desktop, async |page, _| {
        page.go_home().await;
        page.key(Key::Tab).await;
        assert_eq!(page.text(":focus").await, "Skip to the content");
        page.key(Key::Enter).await;
        let mut way = Vec::new();
        while page.focus().await != "place-button" {
            page.key(Key::Tab).await;
            way.push(page.focus().await);
            assert!(way.len() < 20, "{way:?}");
        }
        let way = way.join(" ");
        assert!(
            way.contains("buyer") && way.contains("basket-morning") && way.contains("all-or-nothing"),
            "{way}"
        );
        let outline = "return getComputedStyle(document.activeElement).outlineStyle";
        assert_eq!(page.run(outline, json!([])).await, "solid");
        page.key(Key::Enter).await;
        page.sees(NEWEST, "completed").await;
        // The page has changed many times meanwhile.
        assert_eq!(page.focus().await, "place-button");
    });
}

#[test]
fn what_is_typed_stays_while_the_page_changes() {
    with_page(Window::Desktop, async |page, _| {
        page.press("#basket-book").await;
        page.press("#fail-shipping").await;
        page.press("#place-button").await;
        page.sees("#dead-letters", "a fault was injected").await;
        let reason = page
            .tab
            .find(fantoccini::Locator::Css(".letters [name=reason]"))
            .await
            .unwrap();
        reason.send_keys("nobody waits for it").await.unwrap();
        let focus = page.focus().await;
        let fill = "document.getElementById('place').requestSubmit()";
        page.run(fill, json!([])).await;
        page.sees(NEWEST, "completed").await;
        assert_eq!(page.focus().await, focus);
        page.press(".letters form.row button").await;
        page.sees_no("#dead-letters").await;
    });
}

#[test]
fn nothing_is_wider_than_a_phone() {
    with_page(Window::Phone, async |page, _| {
        assert_eq!(page.run("return innerWidth", json!([])).await, 390);
        assert_eq!(page.too_wide().await, 0);
        // Of one merchant: a dead letter lets the others of its order go first, which the books would tell.
        page.press("#basket-book").await;
        page.press("#fail-shipping").await;
        page.press("#place-button").await;
        page.sees("#dead-letters", "a fault was injected").await;
        assert_eq!(page.too_wide().await, 0);
        page.go_to_newest_order().await;
        page.sees(".journey", "dead letter").await;
        assert_eq!(page.too_wide().await, 0);
        page.go_home().await;
        page.press("#redrive-all").await;
        page.sees(NEWEST, "completed").await;
    });
}
