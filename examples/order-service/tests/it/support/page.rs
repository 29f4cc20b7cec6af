use axum::http::Method;
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::key::Key;
use fantoccini::{ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use order_service::client::Client;
use outbox_test_harness::browser::{Browser, Window};
use outbox_test_harness::requirement;
use serde_json::{Value, json};

use super::{Binary, until};

/// The page of a service in a browser of its own.
pub(crate) struct Page {
    pub(crate) tab: fantoccini::Client,
    home: String,
    browser: Browser,
}

impl Page {
    /// Opens it. `None`: there is no browser, and the test is left out.
    pub(crate) async fn open(service: &Binary, window: Window) -> Option<Self> {
        let browser = requirement::browser()?;
        let capabilities = serde_json::from_str(&browser.capabilities(window)).unwrap();
        let tab = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&browser.url())
            .await
            .unwrap();
        let page = Self {
            tab,
            home: format!("http://{}/", service.address),
            browser,
        };
        page.go_home().await;
        Some(page)
    }

    pub(crate) async fn go_home(&self) {
        self.tab.goto(&self.home).await.unwrap();
        self.sees("#connection", "live").await;
    }

    /// Follows the first link of an order.
    pub(crate) async fn go_to_newest_order(&self) {
        self.press(".order h3 a").await;
        self.sees("#journey-title", "journey").await;
        self.sees("#connection", "live").await;
    }

    /// Waits until the first such element says this.
    pub(crate) async fn sees(&self, css: &str, text: &str) {
        until(async || self.text(css).await, |seen| seen.contains(text)).await;
    }

    /// Waits until the journey has so many messages of this name.
    pub(crate) async fn sees_steps(&self, name: &str, times: u64) {
        let script = "return [...document.querySelectorAll('.step h3')].filter((step) => step.textContent === arguments[0]).length";
        until(
            async || self.run(script, json!([name])).await,
            |count| *count == times,
        )
        .await;
    }

    /// Waits until there is no such element.
    pub(crate) async fn sees_no(&self, css: &str) {
        let script = "return document.querySelectorAll(arguments[0]).length";
        until(async || self.run(script, json!([css])).await, |count| *count == 0).await;
    }

    /// What the first such element says; nothing if there is none. In one step, as the page changes under our hands.
    pub(crate) async fn text(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
        let text = self.run(script, json!([css])).await;
        text.as_str()
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Clicks as a person does: where the element is, and on nothing that lies above it.
    pub(crate) async fn press(&self, css: &str) {
        loop {
            let element = self.tab.wait().for_element(Locator::Css(css)).await.unwrap();
            match element.click().await {
                Ok(()) => return,
                // The page has put another one in its place since: a person would not notice.
                Err(CmdError::Standard(error)) if error.error == ErrorStatus::StaleElementReference => {}
                Err(error) => panic!("{css}: {error}"),
            }
        }
    }

    pub(crate) async fn key(&self, key: Key) {
        let focused = self.tab.active_element().await.unwrap();
        focused.send_keys(&char::from(key).to_string()).await.unwrap();
    }

    /// The id of what has the focus.
    pub(crate) async fn focus(&self) -> String {
        let id = self.run("return document.activeElement.id", json!([])).await;
        id.as_str().unwrap().to_owned()
    }

    pub(crate) async fn run(&self, script: &str, arguments: Value) -> Value {
        let Value::Array(arguments) = arguments else {
            panic!("{arguments}")
        };
        self.tab.execute(script, arguments).await.unwrap()
    }

    /// How many pixels it is wider than the window.
    pub(crate) async fn too_wide(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - innerWidth";
        self.run(script, json!([])).await.as_i64().unwrap()
    }

    /// Closes it. Its console must be empty.
    pub(crate) async fn close(self) {
        let session = self.tab.session_id().await.unwrap().unwrap();
        let driver = Client::new(self.browser.url().trim_start_matches("http://").parse().unwrap());
        let path = format!("/session/{session}/se/log");
        let log = driver
            .send(Method::POST, &path, r#"{"type": "browser"}"#)
            .await
            .unwrap();
        assert_eq!(log.body["value"], json!([]), "the console has something to say");
        self.tab.close().await.unwrap();
    }
}
