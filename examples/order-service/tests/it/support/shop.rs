use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use order_service::ids::OrderId;
use order_service::journal::{Step, StepState};
use order_service::orders::{Order, OrderState};
use serde_json::{Value, json};

use super::until;

/// The service as its clients see it, with whatever headers they send. Clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    http: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

/// What the service answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the ledger knew the answer.
    pub(crate) fn is_replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }
}

impl Shop {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
            address,
        }
    }

    /// Sends a request. `None`: it was cut off, as when the process dies.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Option<Reply> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Value::Null => Bytes::new(),
            body => body.to_string().into(),
        };
        let request = request.body(Full::new(body)).unwrap();
        let (head, body) = self.http.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        let reply = self.try_send(Method::GET, path, &[], &Value::Null).await;
        reply.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        self.try_send(Method::POST, path, headers, body).await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        let reply = self.try_send(Method::PUT, path, &[], body).await.unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        reply
    }

    /// Plans what is to go wrong.
    pub(crate) async fn faults(&self, planned: Value) {
        self.put("/playground/faults", &planned).await;
    }

    /// Stops a consumer or starts it.
    pub(crate) async fn run_consumer(&self, group: &str, running: bool) {
        let path = format!("/playground/consumers/{group}");
        self.put(&path, &json!({ "running": running })).await;
    }

    /// Puts goods on the shelf.
    pub(crate) async fn stock(&self, merchant: &str, sku: &str, on_hand: i64) {
        let path = format!("/stock/{merchant}/{sku}");
        self.put(&path, &json!({ "on_hand": on_hand })).await;
    }

    /// What lies on the shelf: on hand, available, reserved, sold.
    pub(crate) async fn shelf(&self, merchant: &str, sku: &str) -> [i64; 4] {
        let reply = self.get(&format!("/stock/{merchant}/{sku}")).await;
        ["on_hand", "available", "reserved", "sold"].map(|field| reply.body[field].as_i64().unwrap())
    }

    /// Places an order that is taken.
    pub(crate) async fn place(&self, body: &Value) -> Order {
        let reply = self.post("/orders", &[], body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        serde_json::from_value(reply.body).unwrap()
    }

    pub(crate) async fn order(&self, id: OrderId) -> Order {
        let reply = self.get(&format!("/orders/{id}")).await;
        serde_json::from_value(reply.body).unwrap()
    }

    /// Waits until an order is in this state.
    pub(crate) async fn in_state(&self, id: OrderId, state: OrderState) -> Order {
        until(async || self.order(id).await, |order| order.state == state).await
    }

    /// Places an order and waits until it is in this state.
    pub(crate) async fn placed_until(&self, body: &Value, state: OrderState) -> Order {
        let id = self.place(body).await.id;
        self.in_state(id, state).await
    }

    pub(crate) async fn pay(&self, id: OrderId, headers: &[(&str, &str)], card: &str) -> Reply {
        let body = json!({ "payment_method": card });
        self.post(&format!("/orders/{id}/payment"), headers, &body).await
    }

    /// Asks for the money of an order's sub-order.
    pub(crate) async fn refund(&self, order: &Order, part: usize, amount: i64) -> Reply {
        let path = format!(
            "/orders/{}/sub-orders/{}/refunds",
            order.id, order.sub_orders[part].id
        );
        self.post(&path, &[], &json!({ "amount": amount })).await
    }

    /// The journeys of an order's messages.
    pub(crate) async fn steps(&self, id: OrderId) -> Vec<Step> {
        let reply = self.get(&format!("/orders/{id}/messages")).await;
        serde_json::from_value(reply.body).unwrap()
    }

    /// Waits until all messages of an order are where they have to end.
    pub(crate) async fn arrived(&self, id: OrderId) -> Vec<Step> {
        let steps = async || self.steps(id).await;
        until(steps, |steps| {
            let arrived =
                |step: &Step| step.topic == "orders.events" || matches!(step.state, StepState::Confirmed);
            steps.iter().all(arrived)
        })
        .await
    }
}
