//! Publishing, and waiting until the server has said that it has what was published.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};

use super::connect::Settings;
use super::link::Link;
use super::topology::{answered, short};
use crate::error::BrokerError;

/// Most channels that are kept for the next time.
const IDLE_MAX: usize = 8;

/// What is to be published.
pub(super) struct Outgoing<'a> {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
    pub(super) properties: BasicProperties,
    pub(super) body: &'a [u8],
}

/// Why something was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// No queue was there for it.
    Unroutable,
    /// A queue refused it: it is full.
    Refused,
    /// Nobody knows whether it was taken.
    Unknown(BrokerError),
}

/// Publishes over channels on which the server confirms.
pub(super) struct Confirmer {
    settings: Arc<Settings>,
    link: Link,
    /// A channel has one batch at a time, because the client says only of a batch which of its messages came back, and not of a
    /// message.
    idle: Mutex<Vec<Channel>>,
    /// Queues for delays that are there: a few for each topic of a group.
    delays: Mutex<HashSet<String>>,
}

/// By what a message that came back is known.
type Returned = (ShortString, ShortString, Option<ShortString>);

impl Confirmer {
    pub(super) fn new(settings: Arc<Settings>, link: Link) -> Self {
        Self {
            settings,
            link,
            idle: Mutex::default(),
            delays: Mutex::default(),
        }
    }

    /// A channel for what is not published.
    ///
    /// # Errors
    /// The server can't be reached, or takes nothing at the moment: what is asked over such a connection is not heard.
    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        self.check_blocked().await?;
        self.link.channel().await
    }

    async fn check_blocked(&self) -> Result<(), BrokerError> {
        match self.link.is_blocked().await {
            false => Ok(()),
            true => Err(BrokerError::Server {
                doing: "publishing",
                message: "the server takes nothing: it is short of memory or of disk space".to_owned(),
                source: None,
            }),
        }
    }

    /// The queues for delays that are known to be there.
    pub(super) fn delays(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes one.
    pub(super) async fn publish_one(&self, outgoing: Outgoing<'_>) -> Result<(), NotTaken> {
        let answers = self.publish(vec![outgoing]).await;
        answers.into_iter().next().unwrap_or(Ok(()))
    }

    /// Publishes all of them in their order, and then waits for all answers.
    pub(super) async fn publish(&self, outgoing: Vec<Outgoing<'_>>) -> Vec<Result<(), NotTaken>> {
        let channel = match self.ready().await {
            Ok(channel) => channel,
            Err(error) => {
                return outgoing
                    .iter()
                    .map(|_| Err(NotTaken::Unknown(error.clone())))
                    .collect();
            }
        };
        let names: Vec<Returned> = outgoing.iter().map(name).collect();
        let mut answers: Vec<Option<Result<Confirmation, lapin::Error>>> =
            names.iter().map(|_| None).collect();
        let mut sent: FuturesUnordered<_> = outgoing
            .into_iter()
            .enumerate()
            .map(|(n, outgoing)| {
                let channel = &channel;
                async move { (n, publish(channel, outgoing).await) }
            })
            .collect();
        let all = async {
            while let Some((n, answer)) = sent.next().await {
                if let Some(place) = answers.get_mut(n) {
                    *place = Some(answer);
                }
            }
        };
        let in_time = tokio::time::timeout(self.settings.timeout, all).await.is_ok();
        // What has come in this very moment counts.
        while let Some(Some((n, answer))) = sent.next().now_or_never() {
            if let Some(place) = answers.get_mut(n) {
                *place = Some(answer);
            }
        }
        drop(sent);
        let healthy = in_time && answers.iter().all(|answer| matches!(answer, Some(Ok(_))));
        if healthy {
            self.keep(channel);
        }
        self.judge(&names, answers)
    }

    fn judge(
        &self,
        names: &[Returned],
        answers: Vec<Option<Result<Confirmation, lapin::Error>>>,
    ) -> Vec<Result<(), NotTaken>> {
        let mut confirmed = Vec::with_capacity(answers.len());
        let mut returned = HashSet::new();
        for answer in answers {
            confirmed.push(match answer {
                Some(Ok(confirmation)) => {
                    let taken = confirmation.is_ack();
                    // It comes with the answer to any message of the batch.
                    returned.extend(confirmation.take_message().map(name_of));
                    match taken {
                        true => Ok(()),
                        false => Err(NotTaken::Refused),
                    }
                }
                Some(Err(error)) => Err(NotTaken::Unknown(BrokerError::server("publishing")(error))),
                None => Err(NotTaken::Unknown(super::link::no_answer(
                    "publishing",
                    self.settings.timeout,
                ))),
            });
        }
        for (answer, name) in confirmed.iter_mut().zip(names) {
            if answer.is_ok() && returned.contains(name) {
                *answer = Err(NotTaken::Unroutable);
            }
        }
        confirmed
    }

    async fn ready(&self) -> Result<Channel, BrokerError> {
        let kept = loop {
            match self.idle().pop() {
                Some(channel) if !channel.status().connected() => {}
                kept => break kept,
            }
        };
        if let Some(channel) = kept {
            self.check_blocked().await?;
            return Ok(channel);
        }
        let channel = self.channel().await?;
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        answered(&self.settings, "asking for confirms", select).await?;
        Ok(channel)
    }

    fn keep(&self, channel: Channel) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(channel);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn publish(channel: &Channel, outgoing: Outgoing<'_>) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let Outgoing {
        exchange,
        key,
        properties,
        body,
    } = outgoing;
    channel
        .basic_publish(exchange, key, options, body, properties)
        .await?
        .await
}

fn name(outgoing: &Outgoing<'_>) -> Returned {
    let id = outgoing.properties.message_id().clone();
    (outgoing.exchange.clone(), outgoing.key.clone(), id)
}

fn name_of(message: BasicReturnMessage) -> Returned {
    let delivery = message.delivery;
    let id = delivery.properties.message_id().clone();
    (delivery.exchange, delivery.routing_key, id)
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        body: &'a [u8],
    ) -> Result<Self, BrokerError> {
        Ok(Self {
            exchange: short(exchange)?,
            key: short(key)?,
            properties,
            body,
        })
    }
}

impl std::fmt::Debug for Confirmer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Confirmer")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
