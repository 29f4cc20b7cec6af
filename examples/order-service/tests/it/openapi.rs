//! `/openapi.json` says what the service can be asked.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use crate::support::{Binary, Place};

/// All routes of the API, as the document is to name them.
const ROUTES: [&str; 18] = [
    "GET /loyalty/{buyer}",
    "GET /orders",
    "GET /orders/{id}",
    "GET /orders/{id}/messages",
    "GET /playground/consumers",
    "GET /playground/dead-letters",
    "GET /playground/faults",
    "GET /stock/{merchant}/{sku}",
    "POST /orders",
    "POST /orders/{id}/payment",
    "POST /orders/{id}/sub-orders/{sub_order_id}/refunds",
    "POST /playground/dead-letters/discard",
    "POST /playground/dead-letters/redrive",
    "POST /playground/dead-letters/redrive-all",
    "POST /playground/deliver-again",
    "PUT /playground/consumers/{group}",
    "PUT /playground/faults",
    "PUT /stock/{merchant}/{sku}",
];

#[test]
fn the_document_lists_every_route_that_is_answered() {
    crate::support::run(async {
        let place = Place::sqlite();
        let all = "orders,inventory,payment,shipping,loyalty,relay";
        let service = Binary::serve_with(&place, &[("ROLE", all)]);
        let document = service.shop.get("/openapi.json").await;
        assert_eq!(document.header("content-type").unwrap(), "application/json");
        assert!(document.body["openapi"].as_str().unwrap().starts_with("3.1."));
        let mut listed = BTreeSet::new();
        for (path, operations) in document.body["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(
                    operation["responses"].is_object() && operation["summary"].is_string(),
                    "{path}"
                );
                listed.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        assert_eq!(listed.iter().map(String::as_str).collect::<Vec<_>>(), ROUTES);

        // Each is answered, and each error is a problem.
        for route in ROUTES {
            let (method, path) = route.split_once(' ').unwrap();
            let method: Method = method.parse().unwrap();
            let path = path.replace(['{', '}'], "");
            let reply = service
                .shop
                .try_send(method, &path, &[], &Value::Null)
                .await
                .unwrap();
            assert_ne!(reply.status, 405, "{route}");
            if reply.status >= 400 {
                assert_eq!(
                    reply.header("content-type").unwrap(),
                    "application/problem+json",
                    "{route}"
                );
                assert_eq!(reply.body["status"], reply.status, "{route}");
            }
        }
    });
}
