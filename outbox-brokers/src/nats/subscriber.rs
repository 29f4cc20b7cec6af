//! A member of a consumer group: a lane per durable consumer.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, AckKind, Context};
use async_trait::async_trait;
use outbox_core::Delivery;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connect::Settings;
use super::delivery::Outcome;
use super::pull::{Pull, Pulled};
use super::{headers, names};
use crate::broker::Ordering;
use crate::error::BrokerError;
use crate::mapping::Place;
use crate::member::{Lane, Member, Receive};
use crate::names::{check_group, check_some};

/// Most messages that are asked for at a time. What is on its way to a process that is frozen is missing to others until its
/// lease is over.
const ASKED_MAX: u32 = 100;
/// How long the server waits with an answer to a request, and at most which part of the lease.
const EXPIRES: (Duration, u32) = (Duration::from_secs(1), 4);
/// By how much longer a message stays a member's for the server than for the member itself.
const MARGIN: (u32, Duration) = (10, Duration::from_millis(200));

/// One durable consumer.
struct Durable {
    context: Context,
    settings: Arc<Settings>,
    group: Arc<str>,
    topic: Arc<str>,
    config: pull::Config,
    asked: u32,
    connected: watch::Receiver<u64>,
    pull: Option<Pull>,
}

/// Joins a group.
pub(super) async fn open(
    context: &Context,
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
    check_some(topics)?;
    let group: Arc<str> = group.into();
    let asked = out.min(ASKED_MAX);
    let lanes = topics.len() * queues.len();
    let (mut member, lane) = Member::new(
        Arc::clone(&group),
        Some(settings.lease),
        settings.timeout,
        lanes * asked as usize,
    );
    for topic in topics {
        names::check_topic(topic)
            .map_err(|reason| BrokerError::setting("a topic", format!("{topic:?}"), reason))?;
        let topic: Arc<str> = (*topic).into();
        for queue in &queues {
            let durable = Durable {
                context: context.clone(),
                settings: Arc::clone(settings),
                group: Arc::clone(&group),
                topic: Arc::clone(&topic),
                config: config(settings, &group, &topic, *queue, out),
                asked,
                connected: settings.connected.clone(),
                pull: None,
            };
            // Before anything is received: a group that is there has all that is published from now on.
            durable.ensure().await?;
            member.spawn(&lane, durable);
        }
    }
    Ok(member)
}

fn config(settings: &Settings, group: &str, topic: &str, queue: Option<u32>, out: u32) -> pull::Config {
    pull::Config {
        durable_name: Some(names::consumer(group, topic, queue)),
        description: Some(format!("the consumer group {group:?}")),
        filter_subject: match queue {
            Some(queue) => names::subject(&settings.prefix, topic, queue),
            None => names::subjects_of_topic(&settings.prefix, topic),
        },
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        // It counts from when it sends, which is not before it is asked.
        ack_wait: settings.lease + expires(settings) + (settings.lease / MARGIN.0).max(MARGIN.1),
        max_ack_pending: i64::from(out),
        // Whether its attempts are spent is the consumer's to decide, which then buries it.
        max_deliver: -1,
        ..pull::Config::default()
    }
}

fn expires(settings: &Settings) -> Duration {
    EXPIRES.0.min(settings.lease / EXPIRES.1)
}

impl Durable {
    /// Makes the consumer where it is not there, and changes it where its lease is another one.
    async fn ensure(&self) -> Result<(), BrokerError> {
        self.context
            .create_consumer_on_stream(self.config.clone(), &self.settings.stream)
            .await
            .map(|_| ())
            .map_err(BrokerError::server("making a consumer"))
    }

    /// Where its messages are to arrive.
    async fn pull(&self) -> Result<Pull, BrokerError> {
        let durable = self.config.durable_name.as_deref().unwrap_or_default();
        let (client, expires) = (self.context.client(), expires(&self.settings));
        Pull::new(client, &self.settings.stream, durable, expires).await
    }

    /// Asks for messages once, and hands over what comes. False: nobody takes any.
    async fn ask(&mut self, lane: &mut Lane) -> Result<bool, BrokerError> {
        let lease = self.settings.lease;
        let longest = lease + expires(&self.settings);
        let mut connected = self.connected.clone();
        connected.mark_unchanged();
        if let Some(pull) = &mut self.pull {
            pull.ask(self.asked).await?;
        }
        while let Some(pull) = &mut self.pull {
            let pulled = tokio::select! {
                pulled = pull.next() => pulled?,
                // Over a new connection it has to be asked again.
                _ = connected.changed() => Pulled::Overdue,
            };
            let (message, sent_after) = match pulled {
                Pulled::Message(message, sent_after) => (message, sent_after),
                Pulled::End => return Ok(true),
                Pulled::Overdue => {
                    self.pull = None;
                    return Ok(true);
                }
            };
            let lease_end = (Instant::now() + lease).min(sent_after + longest);
            if let Some(delivery) = self.delivery(message, lease_end, lane).await
                && !lane.deliver(delivery).await
            {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// A message of ours for this group.
    async fn delivery(
        &self,
        message: async_nats::Message,
        lease_end: Instant,
        lane: &Lane,
    ) -> Option<Delivery> {
        let group = &*self.group;
        let message = jetstream::Message {
            message,
            context: self.context.clone(),
        };
        let (attempt, offset, published) = match message.info() {
            Ok(info) => (info.delivered, info.stream_sequence, info.published),
            Err(error) => {
                tracing::error!(group, error, "a message without a place was received");
                return None;
            }
        };
        // Somebody else's may end on another word: groups without order hear them, too.
        let queue = names::of_subject(&self.settings.prefix, &message.subject).map_or(0, |(_, queue)| queue);
        let fields = message.headers.as_ref();
        let for_group = fields.and_then(|fields| headers::text(fields, headers::FOR_GROUP));
        if for_group.is_some_and(|for_group| for_group != group) {
            // Redriven for another group. If this ack is lost it comes again.
            let _ = message.ack().await;
            return None;
        }
        let place = Place {
            unique: &format_args!("{}/{offset}", self.settings.stream),
            published: published.into(),
        };
        let attempt = u32::try_from(attempt).unwrap_or(1).max(1);
        let message = message.message;
        let reply = message.reply?;
        let outcome = Outcome {
            context: self.context.clone(),
            settings: Arc::clone(&self.settings),
            group: Arc::clone(&self.group),
            message: self.settings.mapping.message(
                Arc::clone(&self.topic),
                message.payload,
                headers::fields(message.headers.as_ref()),
                &place,
            ),
            attempt,
            subject: message.subject,
            offset,
            reply,
            lease_end,
            told: false,
            unfinished: lane.unfinished().clone(),
        };
        Some(Delivery::new(
            outcome.message.clone(),
            attempt,
            queue,
            offset,
            Box::new(outcome),
        ))
    }
}

#[async_trait]
impl Receive for Durable {
    async fn receive(&mut self, lane: &mut Lane) -> Result<(), BrokerError> {
        self.ensure().await?;
        // What was asked for before something was wrong may still come.
        self.pull = None;
        loop {
            lane.wanted().await;
            if self.pull.is_none() {
                self.pull = Some(self.pull().await?);
            }
            if !self.ask(lane).await? {
                return Ok(());
            }
        }
    }

    async fn leave(&mut self) {
        let Some(mut pull) = self.pull.take() else {
            return;
        };
        let client = self.context.client();
        while let Ok(Pulled::Message(message, _)) = pull.next().await {
            if let Some(reply) = message.reply {
                // If it is not heard, its lease does it.
                let _ = client.publish(reply, AckKind::Nak(None).into()).await;
            }
        }
        let _ = client.flush().await;
    }
}
