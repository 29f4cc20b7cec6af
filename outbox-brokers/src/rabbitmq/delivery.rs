use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Acker, BasicProperties};
use outbox_core::{Acknowledge, ReceiveError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::confirm::{Confirmer, NotTaken, Outgoing};
use super::connect::Settings;
use super::topology::{self, GroupQueue};
use super::{dead, properties};
use crate::error::BrokerError;

/// The shortest and the longest time that a message waits in a queue of its own kind. The longest is what the server can count.
const DELAY: (Duration, Duration) = (Duration::from_millis(64), Duration::from_millis(1 << 31));

/// Put back in front, where it came from.
const PUT_BACK: BasicNackOptions = BasicNackOptions {
    multiple: false,
    requeue: true,
};

/// A message as it was received, and where.
pub(super) struct Origin {
    pub(super) queue: Arc<GroupQueue>,
    pub(super) properties: BasicProperties,
    pub(super) body: Bytes,
    pub(super) attempt: u32,
}

/// What one delivery's outcome needs.
pub(super) struct Outcome {
    confirmer: Arc<Confirmer>,
    settings: Arc<Settings>,
    origin: Origin,
    /// `None`: the server was told something, or will be.
    acker: Option<Acker>,
    /// Where it is told that it goes back.
    unfinished: TaskTracker,
    /// The member has left: what it had is the server's again.
    stopped: CancellationToken,
}

impl Outcome {
    pub(super) fn new(
        confirmer: Arc<Confirmer>,
        settings: Arc<Settings>,
        origin: Origin,
        acker: Acker,
        unfinished: TaskTracker,
        stopped: CancellationToken,
    ) -> Self {
        Self {
            confirmer,
            settings,
            origin,
            acker: Some(acker),
            unfinished,
            stopped,
        }
    }

    /// The way to the server, while it is open. With its channel a delivery is gone: it is somebody else's by now.
    fn usable(&self) -> Result<&Acker, ReceiveError> {
        match &self.acker {
            Some(acker) if acker.usable() && !self.stopped.is_cancelled() => Ok(acker),
            _ => Err(ReceiveError::Fenced),
        }
    }

    async fn acknowledge(&mut self) -> Result<(), ReceiveError> {
        self.usable()?;
        let Some(acker) = self.acker.take() else {
            return Err(ReceiveError::Fenced);
        };
        told(&self.settings, acker.ack(BasicAckOptions::default())).await
    }

    /// It comes again at the end of its queue, which is no matter where there is no order.
    async fn send_later(&mut self, after: Duration) -> Result<(), ReceiveError> {
        let (settings, queue, wait) = (&self.settings, &self.origin.queue, step(after));
        let delay = topology::delay_name(settings, queue, wait);
        let is_known = self.confirmer.delays().contains(&delay);
        if !is_known {
            let channel = self.confirmer.channel().await.map_err(unavailable)?;
            let made = topology::delay(&channel, settings, queue, wait).await;
            made.map_err(unavailable)?;
            self.confirmer.delays().insert(delay.clone());
        }
        let (copy, mut headers) = properties::copy(&self.origin.properties, &[properties::ATTEMPTS]);
        properties::insert(
            &mut headers,
            properties::ATTEMPTS,
            &self.origin.attempt.to_string(),
        )
        .map_err(|error| unavailable(BrokerError::setting("a header", "", error)))?;
        let outgoing = Outgoing::new("", &delay, copy.with_headers(headers), &self.origin.body);
        let sent = self.confirmer.publish_one(outgoing.map_err(unavailable)?).await;
        if let Err(reason) = sent {
            // Whoever comes next makes it again.
            self.confirmer.delays().remove(&delay);
            return Err(not_taken(reason, &format!("the queue {delay:?}")));
        }
        // First there, then gone here: a crash in between makes two of it.
        self.acknowledge().await
    }
}

#[async_trait]
impl Acknowledge for Outcome {
    async fn ack(mut self: Box<Self>) -> Result<(), ReceiveError> {
        self.acknowledge().await
    }

    /// The server keeps no text; it is in the log.
    async fn retry(mut self: Box<Self>, after: Duration, error: &str) -> Result<(), ReceiveError> {
        self.usable()?;
        let (group, id) = (&*self.origin.queue.group, self.origin.properties.message_id());
        tracing::debug!(group, ?id, error, "failed, comes again");
        if self.origin.queue.queue.is_none() && !after.is_zero() {
            return self.send_later(after).await;
        }
        let Some(acker) = self.acker.take() else {
            return Err(ReceiveError::Fenced);
        };
        if after.is_zero() {
            return told(&self.settings, acker.nack(PUT_BACK)).await;
        }
        // Until then it is out, and with it the only one of its queue that can be.
        let stopped = self.stopped.clone();
        tokio::spawn(async move {
            let waited = stopped.run_until_cancelled(tokio::time::sleep(after)).await;
            if waited.is_some() {
                // With a channel that is lost it has gone back already.
                let _ = acker.nack(PUT_BACK).await;
            }
        });
        Ok(())
    }

    async fn dead(mut self: Box<Self>, error: &str) -> Result<(), ReceiveError> {
        self.usable()?;
        // First there, then gone here: a crash in between makes two dead letters of it.
        dead::bury(&self.confirmer, &self.settings, &self.origin, error).await?;
        self.acknowledge().await
    }
}

/// One without an outcome comes again at once.
impl Drop for Outcome {
    fn drop(&mut self) {
        let Some(acker) = self.acker.take().filter(Acker::usable) else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let back = async move {
                let _ = acker.nack(PUT_BACK).await;
            };
            self.unfinished.spawn_on(back, &runtime);
        }
    }
}

/// What the server is told. It does not answer: what is lost on the way comes again with the loss of its channel.
async fn told(
    settings: &Settings,
    telling: impl Future<Output = lapin::Result<bool>>,
) -> Result<(), ReceiveError> {
    match tokio::time::timeout(settings.timeout, telling).await {
        Ok(Ok(true)) => Ok(()),
        // Its channel is gone.
        Ok(Ok(false) | Err(_)) => Err(ReceiveError::Fenced),
        Err(_) => Err(ReceiveError::Unavailable {
            message: format!(
                "the server did not take the outcome within {:?}",
                settings.timeout
            )
            .into(),
            source: None,
        }),
    }
}

/// The next power of two, so that there are few queues for it.
fn step(after: Duration) -> Duration {
    let after = after.clamp(DELAY.0, DELAY.1).as_millis();
    let milliseconds = u64::try_from(after).unwrap_or(u64::MAX >> 1);
    Duration::from_millis(milliseconds.next_power_of_two())
}

pub(super) fn unavailable(error: BrokerError) -> ReceiveError {
    ReceiveError::Unavailable {
        message: error.to_string().into(),
        source: Some(Arc::new(error)),
    }
}

/// Why a copy was not taken by `whom`.
pub(super) fn not_taken(reason: NotTaken, whom: &str) -> ReceiveError {
    let message = match reason {
        NotTaken::Unroutable => format!("{whom} is not there"),
        NotTaken::Refused => format!("{whom} refused it; it is full"),
        NotTaken::Unknown(error) => return unavailable(error),
    };
    ReceiveError::Unavailable {
        message: message.into(),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_at_least_as_long_as_asked_and_less_than_twice() {
        for (asked, waits) in [(1, 64), (64, 64), (65, 128), (700, 1_024), (60_000, 65_536)] {
            assert_eq!(step(Duration::from_millis(asked)), Duration::from_millis(waits));
        }
        assert_eq!(step(Duration::MAX), DELAY.1);
    }
}
