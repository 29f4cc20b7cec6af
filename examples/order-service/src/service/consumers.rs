use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use outbox_core::consumer;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::part::Part;
use crate::messaging::queue::Queue;
use crate::messaging::{self, Module};

/// The consumers of a process, each of which can be stopped and started again while the others go on. Clones share them.
#[derive(Clone)]
pub struct Consumers {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Queue,
    modules: Vec<Module>,
    rate: Option<u32>,
    running: Mutex<BTreeMap<&'static str, Part<consumer::Stopped>>>,
    /// Cancelled when a consumer ends that nobody has stopped.
    ended: CancellationToken,
}

impl Consumers {
    /// Starts one for each of these modules, each of which handles at most `rate` messages a second.
    ///
    /// # Errors
    /// The queue can't be reached.
    pub async fn start(
        queue: Queue,
        modules: Vec<Module>,
        rate: Option<u32>,
        ended: CancellationToken,
    ) -> anyhow::Result<Self> {
        let groups: Vec<_> = modules.iter().map(|module| module.group).collect();
        let this = Self {
            shared: Arc::new(Shared {
                queue,
                modules,
                rate,
                running: Mutex::default(),
                ended,
            }),
        };
        for group in groups {
            this.set_running(group, true).await?;
        }
        Ok(this)
    }

    /// Starts a consumer, or stops it when it has finished what it has in its hands. Returns whether it is one of these.
    ///
    /// # Errors
    /// The queue can't be reached.
    pub async fn set_running(&self, group: &str, run: bool) -> anyhow::Result<bool> {
        let shared = &self.shared;
        let Some(module) = shared.modules.iter().find(|module| module.group == group) else {
            return Ok(false);
        };
        let mut running = shared.running.lock().await;
        match (running.remove(module.group), run) {
            (Some(part), true) => {
                running.insert(module.group, part);
            }
            (Some(part), false) => {
                part.stop(Duration::MAX).await;
            }
            (None, true) => {
                let consumer = messaging::hear(&shared.queue, module, shared.rate)
                    .await
                    .with_context(|| format!("subscribing as {group}"))?;
                let part = Part::start(&shared.ended, |stop| consumer.run(stop));
                running.insert(module.group, part);
            }
            (None, false) => {}
        }
        Ok(true)
    }

    /// The consumers, and whether each is running.
    pub async fn all(&self) -> Vec<(&'static str, bool)> {
        let running = self.shared.running.lock().await;
        let modules = self.shared.modules.iter();
        modules
            .map(|module| (module.group, running.contains_key(module.group)))
            .collect()
    }

    /// Their groups.
    pub fn groups(&self) -> Vec<&'static str> {
        self.shared.modules.iter().map(|module| module.group).collect()
    }

    /// Stops all, when they have finished what they have in their hands.
    pub async fn stop(&self) {
        let parts = std::mem::take(&mut *self.shared.running.lock().await);
        futures_util::future::join_all(parts.into_values().map(|part| part.stop(Duration::MAX))).await;
    }
}
