use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::{Capabilities, Message, PublishError, Publisher};

use crate::journal::Journal;

/// How a [`JournalSink`] behaves. Files, so that another process can change it while it runs.
#[derive(Debug, Clone, Default)]
pub struct SinkRules {
    /// How long a batch takes.
    pub latency: Duration,
    /// The queue is away while this file exists.
    pub down: Option<PathBuf>,
    /// Messages of the keys in this file (one per line) are refused.
    pub refuse: Option<PathBuf>,
    /// With a message of this key in its hands the process prints `frozen` and stops itself (SIGSTOP). Continued, it
    /// refuses the message.
    pub freeze_key: Option<String>,
    /// One in so many batches ends the process before anything is journalled.
    pub abort_before: Option<u32>,
    /// One in so many batches ends the process after it was journalled, before the relay hears of it.
    pub abort_after: Option<u32>,
    /// Most messages of a batch.
    pub max_batch: Option<usize>,
}

/// A queue that writes every message it takes into a journal.
#[derive(Debug)]
pub struct JournalSink {
    journal: Journal,
    rules: SinkRules,
}

impl JournalSink {
    /// A sink with these rules.
    pub fn new(journal: Journal, rules: SinkRules) -> Self {
        Self { journal, rules }
    }

    fn is_down(&self) -> bool {
        self.rules.down.as_ref().is_some_and(|path| path.exists())
    }

    fn refused_keys(&self) -> HashSet<String> {
        let text = self
            .rules
            .refuse
            .as_ref()
            .and_then(|path| std::fs::read_to_string(path).ok());
        text.unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

fn dice(one_in: Option<u32>) -> bool {
    one_in.is_some_and(|n| fastrand::u32(0..n.max(1)) == 0)
}

#[async_trait]
impl Publisher for JournalSink {
    fn name(&self) -> &str {
        "journal"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_max_batch(self.rules.max_batch.unwrap_or(1_000))
            .with_max_in_flight(4)
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        if self.is_down() {
            return vec![Err(PublishError::unavailable("the sink is down")); batch.len()];
        }
        if !self.rules.latency.is_zero() {
            tokio::time::sleep(self.rules.latency).await;
        }
        if dice(self.rules.abort_before) {
            std::process::abort();
        }
        let mut refused = self.refused_keys();
        if let Some(key) = &self.rules.freeze_key
            && batch.iter().any(|message| message.key() == Some(key))
        {
            println!("frozen");
            if let Err(error) = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP) {
                return vec![Err(PublishError::unavailable(error.to_string())); batch.len()];
            }
            refused.insert(key.clone());
        }
        let is_refused = |message: &Message| message.key().is_some_and(|key| refused.contains(key));
        let taken: Vec<Message> = batch
            .iter()
            .filter(|message| !is_refused(message))
            .cloned()
            .collect();
        if let Err(error) = self.journal.append(&taken) {
            return vec![Err(PublishError::unavailable(error.to_string())); batch.len()];
        }
        if dice(self.rules.abort_after) {
            std::process::abort();
        }
        batch
            .iter()
            .map(|message| {
                if is_refused(message) {
                    Err(PublishError::refused("refused by rule"))
                } else {
                    Ok(())
                }
            })
            .collect()
    }

    async fn probe(&self) -> Result<(), PublishError> {
        if self.is_down() {
            Err(PublishError::unavailable("the sink is down"))
        } else {
            Ok(())
        }
    }
}
