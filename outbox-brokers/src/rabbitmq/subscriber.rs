//! A member of a consumer group: a lane per queue, each with a channel of its own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use outbox_core::{Delivery, Limits};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::confirm::Confirmer;
use super::connect::Settings;
use super::delivery::{Origin, Outcome};
use super::link::{Link, REPLY_SUCCESS};
use super::properties;
use super::topology::{self, GroupQueue, answered, short};
use crate::broker::Ordering;
use crate::error::BrokerError;
use crate::member::{Lane, Member, Receive};
use crate::names::{check_group, check_some};
use crate::placement;

/// Most messages that a consumer can have out: the protocol counts in two bytes.
const OUT_MAX: u32 = u16::MAX as u32;

/// One queue of the group.
struct QueueLane {
    link: Arc<Link>,
    confirmer: Arc<Confirmer>,
    settings: Arc<Settings>,
    queue: Arc<GroupQueue>,
    out: u16,
    /// Whether the queue has just been made.
    is_new: bool,
    /// Cancelled with this lane: what it has handed over is the server's again.
    stopped: CancellationToken,
    _stop: DropGuard,
}

/// Joins a group.
pub(super) async fn open(
    link: &Arc<Link>,
    confirmer: &Arc<Confirmer>,
    settings: &Arc<Settings>,
    group: &str,
    topics: &[&str],
    ordering: Ordering,
) -> Result<Member, BrokerError> {
    check_group(group)?;
    let (out, queues): (u32, Vec<Option<u32>>) = match ordering.check()? {
        Ordering::PerKey => (1, (0..settings.queues).map(Some).collect()),
        Ordering::None { out } => (out, vec![None]),
    };
    let out = u16::try_from(out)
        .map_err(|_| BrokerError::setting("Ordering::None", out, format!("RabbitMQ counts to {OUT_MAX}")))?;
    check_some(topics)?;
    for topic in topics {
        Limits::check_topic(topic)
            .map_err(|error| BrokerError::setting("a topic", format!("{topic:?}"), error))?;
    }
    let capacity = topics.len() * queues.len() * usize::from(out);
    let (mut member, lane) = Member::new(group.into(), None, settings.timeout, capacity);
    // Before anything is received: a group that is there has all that is published from now on.
    let channel = link.channel().await?;
    topology::dead(&channel, settings, group).await?;
    let mut lanes = Vec::new();
    for topic in topics {
        topology::topic(&channel, settings, topic).await?;
        for queue in &queues {
            let queue = GroupQueue {
                group: group.to_owned(),
                topic: (*topic).to_owned(),
                queue: *queue,
            };
            topology::group(&channel, settings, &queue).await?;
            lanes.push(queue);
        }
    }
    if settings.declare {
        topology::settle(&channel, settings).await?;
    }
    for queue in lanes {
        let stopped = CancellationToken::new();
        let source = QueueLane {
            link: Arc::clone(link),
            confirmer: Arc::clone(confirmer),
            settings: Arc::clone(settings),
            queue: Arc::new(queue),
            out,
            is_new: true,
            _stop: stopped.clone().drop_guard(),
            stopped,
        };
        member.spawn(&lane, source);
    }
    Ok(member)
}

impl QueueLane {
    async fn consume(&mut self, unfinished: &TaskTracker) -> Result<Consuming, BrokerError> {
        let (settings, queue) = (&self.settings, &self.queue);
        let channel = self.link.channel().await?;
        if !std::mem::take(&mut self.is_new) {
            // The server may have lost what it had.
            topology::dead(&channel, settings, &queue.group).await?;
            topology::topic(&channel, settings, &queue.topic).await?;
            topology::group(&channel, settings, queue).await?;
        }
        let limit = channel.basic_qos(self.out, BasicQosOptions::default());
        answered(settings, "limiting what is out", limit).await?;
        let consume = channel.basic_consume(
            short(&queue.name(settings))?,
            ShortString::default(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let consumer = answered(settings, "consuming", consume).await?;
        Ok(Consuming {
            parts: Some((channel, consumer)),
            unfinished: unfinished.clone(),
        })
    }

    fn delivery(&self, delivery: lapin::message::Delivery, lane: &Lane) -> Delivery {
        let (settings, of) = (&self.settings, &self.queue);
        let body = Bytes::from(delivery.data);
        let message = properties::message(&settings.mapping, &of.topic, body.clone(), &delivery.properties);
        let attempt = properties::attempts_before(&delivery.properties).saturating_add(1);
        let queue = of
            .queue
            .or_else(|| delivery.routing_key.as_str().parse().ok())
            .unwrap_or_else(|| placement::queue(&message, settings.queues));
        let outcome = Outcome::new(
            Arc::clone(&self.confirmer),
            Arc::clone(settings),
            Origin {
                queue: Arc::clone(of),
                properties: delivery.properties,
                body,
                attempt,
            },
            delivery.acker,
            lane.unfinished().clone(),
            self.stopped.clone(),
        );
        Delivery::new(message, attempt, queue, delivery.delivery_tag, Box::new(outcome))
    }
}

#[async_trait]
impl Receive for QueueLane {
    async fn receive(&mut self, lane: &mut Lane) -> Result<(), BrokerError> {
        let mut consuming = self.consume(lane.unfinished()).await?;
        while let Some(received) = consuming.next().await {
            let received = received.map_err(BrokerError::server("receiving"))?;
            let delivery = self.delivery(received, lane);
            if !lane.deliver(delivery).await {
                return Ok(());
            }
        }
        Err(BrokerError::Server {
            doing: "receiving",
            message: format!(
                "the server has ended it: the queue {:?} was removed or moved",
                self.queue.name(&self.settings)
            ),
            source: None,
        })
    }
}

/// A consumer and the channel that it alone uses.
///
/// It ends with its channel. A consumer that is cancelled first makes the next member the active one while a message is still in
/// hand here, and that message would come after the next one of its key; with the channel both happen at once.
struct Consuming {
    parts: Option<(Channel, Consumer)>,
    unfinished: TaskTracker,
}

impl Consuming {
    async fn next(&mut self) -> Option<lapin::Result<lapin::message::Delivery>> {
        let (_, consumer) = self.parts.as_mut()?;
        consumer.next().await
    }
}

impl Drop for Consuming {
    fn drop(&mut self) {
        let Some((channel, consumer)) = self.parts.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let close = async move {
                // One that is lost already is closed as well.
                let _ = channel.close(REPLY_SUCCESS, ShortString::from("OK")).await;
                drop(consumer);
            };
            self.unfinished.spawn_on(close, &runtime);
        }
    }
}
