//! Where buyers go: processes that can be killed while they are answering.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::{Method, StatusCode};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::client::{Answer, Client};

/// How long a buyer waits before he asks again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long he goes on asking.
const STUBBORN: Duration = Duration::from_secs(60);

/// A process that takes requests, or none at the moment. Clones are the same door.
#[derive(Clone, Default)]
pub(super) struct Door {
    client: Arc<Mutex<Option<Client>>>,
}

impl Door {
    /// One that is open from now on.
    pub(super) fn at(address: SocketAddr) -> Self {
        let door = Self::default();
        door.open(address);
        door
    }

    pub(super) fn open(&self, address: SocketAddr) {
        *self.lock() = Some(Client::new(address));
    }

    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    pub(super) fn client(&self) -> Option<Client> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all doors lead into. Clones lead into the same.
#[derive(Clone)]
pub(super) struct Shop {
    doors: Vec<Door>,
}

impl Shop {
    pub(super) fn new(doors: Vec<Door>) -> Self {
        Self { doors }
    }

    /// Asks until there is an answer: at another door with the same key when a process dies in the middle of it. Nobody
    /// knows then whether it was done, and it need not be known.
    pub(super) async fn post(&self, path: &str, key: &str, body: &impl Serialize) -> anyhow::Result<Answer> {
        self.ask(Method::POST, path, Some(key), serde_json::to_vec(body)?)
            .await
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(Method::GET, path, None, Vec::new()).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let started = Instant::now();
        let first = fastrand::usize(..self.doors.len().max(1));
        for door in self.doors.iter().cycle().skip(first) {
            let last = match door.client() {
                None => None,
                Some(client) => Some(
                    client
                        .send_with_key(method.clone(), path, key, body.clone())
                        .await,
                ),
            };
            match last {
                Some(Ok(answer)) if !is_to_be_asked_again(&answer) => return Ok(answer),
                last if started.elapsed() > STUBBORN => {
                    let answer = last.context("no door is open")?.context("nobody answered")?;
                    bail!(
                        "{method} {path}: still answered {}: {}",
                        answer.status,
                        answer.body
                    )
                }
                _ => sleep(PAUSE).await,
            }
        }
        bail!("the shop has no doors")
    }
}

/// Nothing was done, or somebody is doing it.
fn is_to_be_asked_again(answer: &Answer) -> bool {
    let in_flight = || answer.body["code"] == "request-in-flight";
    answer.status == StatusCode::SERVICE_UNAVAILABLE || (answer.status == StatusCode::CONFLICT && in_flight())
}
