use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::{Delivery, Limits, ReceiveError, Subscriber};
use tokio::sync::oneshot;

use super::connect::Settings;
use super::delivery::Outcome;
use super::desk::{Desk, Event, Ready};
use super::producer::Sender;
use super::reader::{Parts, Reader, Source};
use super::topics::{self, Needed};
use super::{dead, names};
use crate::broker::Ordering;
use crate::error::BrokerError;
use crate::names::{check_group, check_some};

/// A member of a consumer group.
pub(super) struct KafkaSubscriber {
    settings: Arc<Settings>,
    sender: Arc<Sender>,
    desk: Arc<Desk>,
    group: Arc<str>,
    /// Failed ones wait in a topic of their own.
    aside: bool,
}

impl KafkaSubscriber {
    pub(super) async fn open(
        settings: Arc<Settings>,
        sender: Arc<Sender>,
        group: &str,
        topics: &[&str],
        ordering: Ordering,
    ) -> Result<Self, BrokerError> {
        check_group(group)?;
        let (out_max, aside) = match ordering.check()? {
            Ordering::PerKey => (1, false),
            Ordering::None { out } => (usize::try_from(out).unwrap_or(usize::MAX), true),
        };
        check_some(topics)?;
        let mut needed = vec![dead::needed(&settings, group)];
        let mut sources = HashMap::new();
        for topic in topics {
            Limits::check_topic(topic)
                .map_err(|error| BrokerError::setting("a topic", format!("{topic:?}"), error))?;
            let own = Needed {
                name: names::topic(&settings.prefix, topic),
                partitions: settings.queues,
                compact: false,
            };
            let retry = dead::retry_needed(&settings, group, topic);
            for (needed, retry) in [(&own, false), (&retry, true)] {
                let topic = Arc::from(*topic);
                sources.insert(needed.name.clone(), Source { topic, retry });
            }
            needed.extend([own, retry]);
        }
        topics::ensure(&settings, needed).await?;
        let (events, heard) = mpsc::channel();
        let desk = Arc::new(Desk::new(events.clone()));
        let reader = Reader::new(Parts {
            settings: Arc::clone(&settings),
            group: names::group(&settings.prefix, group),
            sources,
            out_max,
            desk: Arc::clone(&desk),
            events: heard,
            wake: events,
        })?;
        std::thread::Builder::new()
            .name("outbox-kafka".to_owned())
            .spawn(move || reader.run())
            .map_err(BrokerError::server("starting a thread"))?;
        Ok(Self {
            settings,
            sender,
            desk,
            group: group.into(),
            aside,
        })
    }

    fn delivery(&self, ready: Ready) -> Delivery {
        let queue = u32::try_from(ready.partition).unwrap_or(0);
        let offset = u64::try_from(ready.offset).unwrap_or(0);
        let outcome = Outcome {
            settings: Arc::clone(&self.settings),
            sender: Arc::clone(&self.sender),
            desk: Arc::clone(&self.desk),
            group: Arc::clone(&self.group),
            aside: self.aside,
            lane: ready.lane,
            offset: ready.offset,
            message: ready.message.clone(),
            attempt: ready.attempt,
            place: ready.place,
            dropped: Some(Duration::ZERO),
        };
        Delivery::new(ready.message, ready.attempt, queue, offset, Box::new(outcome))
    }
}

#[async_trait]
impl Subscriber for KafkaSubscriber {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, ReceiveError> {
        let max = max.max(1);
        let mut asking = None;
        loop {
            let ready = self.desk.take(max)?;
            if !ready.is_empty() {
                return Ok(ready.into_iter().map(|ready| self.delivery(ready)).collect());
            }
            if asking.is_none() {
                asking = Some(self.desk.ask(max));
            }
            self.desk.changed().await;
        }
    }

    fn group(&self) -> Option<&str> {
        Some(&self.group)
    }

    async fn close(&mut self) -> Result<(), ReceiveError> {
        let (reply, answer) = oneshot::channel();
        if !self.desk.tell(Event::Leave(Some(reply))) {
            return Ok(());
        }
        // It writes what it can within the timeout, and then leaves, which waits for an answer as well.
        match tokio::time::timeout(self.settings.timeout * 3, answer).await {
            Ok(Ok(left)) => left,
            Ok(Err(_)) => Ok(()),
            Err(_) => Err(ReceiveError::Unavailable {
                message: "the servers do not answer; what was not finished comes again later".into(),
                source: None,
            }),
        }
    }
}

impl Drop for KafkaSubscriber {
    fn drop(&mut self) {
        self.desk.tell(Event::Leave(None));
    }
}

impl std::fmt::Debug for KafkaSubscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSubscriber")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
