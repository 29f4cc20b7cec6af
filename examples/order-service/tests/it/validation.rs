//! What is refused at the door: each error names what is wrong, and nothing is written.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Binary, Place, and_on_mysql, on_both, order};

on_both!(what_is_wrong_is_named_and_nothing_is_written);
and_on_mysql!(what_is_wrong_is_named_and_nothing_is_written);

async fn what_is_wrong_is_named_and_nothing_is_written(place: Place) {
    let service = Binary::serve(&place);
    let long = "x".repeat(101);
    let without = |field: &str| {
        let mut body = order(&[("m", "s", 1, 1)]);
        body["items"][0].as_object_mut().unwrap().remove(field);
        body
    };
    for (body, pointer, detail) in [
        (json!({ "buyer": "ann", "items": [] }), "/items", "at least one"),
        (json!({ "items": [] }), "", "missing field `buyer`"),
        (
            json!({ "buyer": " ", "items": order(&[("m", "s", 1, 1)])["items"] }),
            "/buyer",
            "not be empty",
        ),
        (
            order(&[("m", "s", 1, 1), ("m", "s", 0, 1)]),
            "/items/1/quantity",
            "is 0, must be 1 to 1000",
        ),
        (order(&[("m", "s", 1001, 1)]), "/items/0/quantity", "is 1001"),
        (order(&[("m", "s", -1, 1)]), "/items/0/quantity", "-1"),
        (order(&[("m", "s", 1, -5)]), "/items/0/unit_price", "is -5"),
        (order(&[("m", "", 1, 1)]), "/items/0/sku", "not be empty"),
        (order(&[("m", "a\u{0}b", 1, 1)]), "/items/0/sku", "control"),
        (order(&[(&long, "s", 1, 1)]), "/items/0/merchant", "101 bytes"),
        (order(&[("m", "s", 1, 1); 101]), "/items", "101 items"),
        (without("sku"), "/items/0", "missing field `sku`"),
        (
            json!({ "buyer": "ann", "items": [], "voucher": 1 }),
            "/voucher",
            "unknown field `voucher`",
        ),
        (
            json!({ "buyer": "ann", "items": order(&[("m", "s", 1, 1)])["items"], "payment_method": "" }),
            "/payment_method",
            "not be empty",
        ),
        (
            json!({ "buyer": "ann", "items": [{ "quantity": "two" }] }),
            "/items/0/quantity",
            "invalid type",
        ),
    ] {
        let answer = service.client.post_order(&body).await.unwrap();
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{body}: {answer:?}"
        );
        assert_eq!(answer.content_type, "application/problem+json");
        let error = &answer.body["errors"][0];
        assert_eq!(error["pointer"], pointer, "{body}: {answer:?}");
        assert!(
            error["detail"].as_str().unwrap().contains(detail),
            "{body}: {error}"
        );
    }

    let large = format!(r#"{{ "buyer": "{}" }}"#, "x".repeat(70_000));
    for (method, path, body, status, detail) in [
        (Method::POST, "/orders", "{ \"buyer\": ", 400, "not JSON"),
        (Method::POST, "/orders", "", 400, "not JSON"),
        (Method::POST, "/orders", &*large, 413, "at most 65536 bytes"),
        (Method::DELETE, "/orders", "", 405, "does not take DELETE"),
        (Method::GET, "/nowhere", "", 404, "/nowhere"),
        (Method::GET, "/orders/1", "", 404, "/orders/1"),
        (
            Method::GET,
            "/orders/019aaaaa-0000-7000-8000-000000000000",
            "",
            404,
            "no order",
        ),
        (Method::GET, "/orders?limit=0", "", 400, "limit is 0"),
        (Method::GET, "/orders?limit=many", "", 400, "limit"),
        (
            Method::GET,
            "/orders/019aaaaa-0000-7000-8000-000000000000/messages",
            "",
            404,
            "no order",
        ),
        (
            Method::POST,
            "/orders/019aaaaa-0000-7000-8000-000000000000/payment",
            r#"{ "payment_method": "visa" }"#,
            404,
            "no such order",
        ),
        (Method::GET, "/stock/m/s", "", 404, "no article"),
        (Method::PUT, "/stock/m/s", r#"{ "on_hand": -1 }"#, 422, "on_hand"),
    ] {
        let answer = service.client.send(method, path, body.to_owned()).await.unwrap();
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.content_type, "application/problem+json", "{path}");
        assert_eq!(answer.body["status"], status);
        assert!(
            answer.body["detail"].as_str().unwrap().contains(detail),
            "{path}: {answer:?}"
        );
    }

    let payment = "/orders/019aaaaa-0000-7000-8000-000000000000/payment";
    let refunds = "/orders/019aaaaa-0000-7000-8000-000000000000/sub-orders/019aaaaa-0000-7000-8000-000000000001/refunds";
    for (path, body, pointer, detail) in [
        (payment, json!({}), "", "missing field `payment_method`"),
        (
            payment,
            json!({ "payment_method": " " }),
            "/payment_method",
            "not be empty",
        ),
        (
            payment,
            json!({ "payment_method": "visa", "amount": 1 }),
            "/amount",
            "unknown field",
        ),
        (refunds, json!({}), "", "missing field `amount`"),
        (
            refunds,
            json!({ "amount": 0 }),
            "/amount",
            "must be 1 or more cents",
        ),
        (refunds, json!({ "amount": -5 }), "/amount", "is -5"),
        (refunds, json!({ "amount": "5" }), "/amount", "invalid type"),
    ] {
        let reply = service.shop.post(path, &[], &body).await;
        assert_eq!(reply.status, 422, "{body}: {reply:?}");
        assert_eq!(reply.header("content-type").unwrap(), "application/problem+json");
        let error = &reply.body["errors"][0];
        assert_eq!(error["pointer"], pointer, "{body}: {error}");
        assert!(
            error["detail"].as_str().unwrap().contains(detail),
            "{body}: {error}"
        );
    }

    assert_eq!(
        service.client.get("/orders").await.unwrap().body,
        Value::Array(vec![])
    );
    assert_eq!(place.number("SELECT count(*) FROM outbox").await, 0);
}
