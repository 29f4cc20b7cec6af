//! A client of the service's HTTP API: what the demo and the tests talk to it with.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Bytes;
use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::Value;

use crate::ids::OrderId;
use crate::inventory::StockItem;
use crate::orders::{Order, OrderSummary, PlaceOrder};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Talks to one service. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: HyperClient<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

/// What the service answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The media type of the body.
    pub content_type: String,
    /// The Location header.
    pub location: Option<String>,
    /// The body: JSON, or a text.
    pub body: Value,
}

impl Client {
    /// A client of the service at this address.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            http: HyperClient::builder(TokioExecutor::new()).build_http(),
            address,
        }
    }

    /// Sends a request with a body of JSON, whatever that may hold.
    ///
    /// # Errors
    /// The service did not answer.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> anyhow::Result<Answer> {
        self.send_with_key(method, path, None, body).await
    }

    /// The same, with an `Idempotency-Key`: sent again with the same key, it is done once.
    ///
    /// # Errors
    /// The service did not answer.
    pub async fn send_with_key(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let request = request.body(Full::new(body.into()))?;
        let exchange = async {
            let (head, body) = self.http.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Response::from_parts(head, body))
        };
        let response = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .context("the service did not answer in time")??;
        let text = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let as_text = || Value::String(String::from_utf8_lossy(response.body()).into_owned());
        Ok(Answer {
            status: response.status(),
            content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
            location: text(header::LOCATION),
            body: serde_json::from_slice(response.body()).unwrap_or_else(|_| as_text()),
        })
    }

    /// `GET`
    ///
    /// # Errors
    /// The service did not answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// `POST /orders` with anything.
    ///
    /// # Errors
    /// The service did not answer.
    pub async fn post_order(&self, body: &impl Serialize) -> anyhow::Result<Answer> {
        self.send(Method::POST, "/orders", serde_json::to_vec(body)?)
            .await
    }

    /// Places an order.
    ///
    /// # Errors
    /// The service did not take it.
    pub async fn place(&self, order: &PlaceOrder) -> anyhow::Result<Order> {
        self.post_order(order).await?.expect(StatusCode::CREATED)
    }

    /// Says how much a merchant has of an article.
    ///
    /// # Errors
    /// The service did not take it.
    pub async fn put_stock(&self, merchant: &str, sku: &str, on_hand: i64) -> anyhow::Result<StockItem> {
        let body = serde_json::json!({ "on_hand": on_hand }).to_string();
        let path = format!("/stock/{merchant}/{sku}");
        self.send(Method::PUT, &path, body).await?.expect(StatusCode::OK)
    }

    /// What a merchant has of an article.
    ///
    /// # Errors
    /// The service did not answer, or there is no such article.
    pub async fn stock(&self, merchant: &str, sku: &str) -> anyhow::Result<StockItem> {
        self.get(&format!("/stock/{merchant}/{sku}"))
            .await?
            .expect(StatusCode::OK)
    }

    /// An order.
    ///
    /// # Errors
    /// The service did not answer, or there is no such order.
    pub async fn order(&self, id: OrderId) -> anyhow::Result<Order> {
        self.get(&format!("/orders/{id}")).await?.expect(StatusCode::OK)
    }

    /// The newest orders.
    ///
    /// # Errors
    /// The service did not answer.
    pub async fn newest(&self, limit: u32) -> anyhow::Result<Vec<OrderSummary>> {
        self.get(&format!("/orders?limit={limit}"))
            .await?
            .expect(StatusCode::OK)
    }
}

impl Answer {
    /// The body, if the status is this one.
    ///
    /// # Errors
    /// It is another one, or the body is something else.
    pub fn expect<T: serde::de::DeserializeOwned>(self, status: StatusCode) -> anyhow::Result<T> {
        if self.status != status {
            bail!("the service answered {}: {}", self.status, self.body);
        }
        serde_json::from_value(self.body).context("the service answered something unexpected")
    }
}
