use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use outbox_core::{Capabilities, Limits, Message, PublishError, PublishErrorKind, Publisher};

use super::cluster::{Cluster, Queue, Route};
use super::code::ask;
use super::connect::Settings;
use super::frame::Command;
use super::sender::{self, Letter};
use super::{fields, names, topics};
use crate::error::BrokerError;

/// Most messages of one `publish`.
const MAX_BATCH: usize = 1_000;
/// Calls at the same time: one on its way, one whose answers are awaited.
const MAX_IN_FLIGHT: usize = 4;
/// As long as RocketMQ keeps a message back unless it is set otherwise (`timerMaxDelaySec`).
const MAX_DELAY: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Publishes to [`RocketMq`](super::RocketMq): one request for the messages of each queue, all on their way at once.
#[derive(Clone)]
pub struct RocketMqPublisher {
    cluster: Arc<Cluster>,
    settings: Arc<Settings>,
    routes: Arc<Routes>,
}

/// Where topics are.
#[derive(Default)]
struct Routes(Mutex<HashMap<Arc<str>, Arc<Route>>>);

/// The messages of one queue, and where in the batch each was.
#[derive(Default)]
struct Part {
    at: Vec<usize>,
    letters: Vec<Letter>,
}

impl Routes {
    fn with<T>(&self, use_them: impl FnOnce(&mut HashMap<Arc<str>, Arc<Route>>) -> T) -> T {
        // Nothing panics while it is held.
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RocketMqPublisher {
    pub(super) fn new(cluster: Arc<Cluster>, settings: Arc<Settings>) -> Self {
        Self {
            cluster,
            settings,
            routes: Arc::default(),
        }
    }

    /// Where a topic is. Looked up once: whoever of its brokers is away for a while keeps its keys.
    pub(super) async fn route(&self, topic: &str) -> Result<Arc<Route>, PublishError> {
        Limits::check_topic(topic).map_err(|error| PublishError::invalid(error.to_string()))?;
        if let Some(route) = self.routes.with(|routes| routes.get(topic).cloned()) {
            return Ok(route);
        }
        let name = names::topic(&self.settings.prefix, topic);
        let route = topics::ensure(&self.cluster, &self.settings, &name, self.settings.queues).await;
        let route =
            Arc::new(route.map_err(|error| PublishError::unavailable(error.to_string()).with_source(error))?);
        self.routes
            .with(|routes| routes.insert(topic.into(), Arc::clone(&route)));
        Ok(route)
    }

    /// A message as it is sent, if it can be.
    fn letter(&self, message: &Message) -> Result<Letter, PublishError> {
        let letter = fields::letter(message, &self.settings.mapping, &[])?;
        letter.check(&self.settings)?;
        Ok(letter)
    }

    /// Sends what is for one queue, in its order; after one that was not taken, none.
    async fn send(&self, topic: &str, queue: &Queue, part: &Part) -> Vec<Result<(), PublishError>> {
        let name = names::topic(&self.settings.prefix, topic);
        let mut answers = Vec::with_capacity(part.letters.len());
        while answers.len() < part.letters.len() {
            let rest = &part.letters[answers.len()..];
            let together = together(rest, self.settings.max_message_bytes);
            match sender::send(&self.cluster, &name, queue, &rest[..together]).await {
                Ok(_) => answers.extend(std::iter::repeat_n(Ok(()), together)),
                Err(error) => {
                    answers.resize(part.letters.len(), Err(error));
                }
            }
        }
        answers
    }

    /// A broker may be elsewhere by now, a topic gone.
    async fn look_again(&self, topic: &str) {
        let name = names::topic(&self.settings.prefix, topic);
        if let Ok(None) = self.cluster.route(&name).await {
            self.routes.with(|routes| routes.remove(topic));
        }
    }
}

/// How many of the first can go in one request.
fn together(letters: &[Letter], max_bytes: usize) -> usize {
    let mut bytes = 0;
    let fitting = letters.iter().take_while(|letter| {
        bytes += letter.bytes();
        bytes <= max_bytes && !letter.alone
    });
    fitting.count().max(1)
}

#[async_trait]
impl Publisher for RocketMqPublisher {
    fn name(&self) -> &str {
        "rocketmq"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_max_batch(MAX_BATCH)
            .with_max_in_flight(MAX_IN_FLIGHT)
            .with_ordered_retry(true)
            .with_max_delay(Some(MAX_DELAY))
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        let mut answers: Vec<Result<(), PublishError>> = vec![Ok(()); batch.len()];
        let mut routes: BTreeMap<&str, Result<Arc<Route>, PublishError>> = BTreeMap::new();
        for message in batch {
            if !routes.contains_key(message.topic()) {
                routes.insert(message.topic(), self.route(message.topic()).await);
            }
        }
        let mut parts: BTreeMap<(&str, &Queue), Part> = BTreeMap::new();
        for (at, message) in batch.iter().enumerate() {
            let placed = match &routes[message.topic()] {
                Err(error) => Err(error.clone()),
                Ok(route) => self
                    .letter(message)
                    .and_then(|letter| match route.queue_of(message) {
                        Some(queue) => Ok((queue, letter)),
                        None => Err(PublishError::unavailable("its topic has no queue")),
                    }),
            };
            match placed {
                Ok((queue, letter)) => {
                    let part = parts.entry((message.topic(), queue)).or_default();
                    part.at.push(at);
                    part.letters.push(letter);
                }
                Err(error) => answers[at] = Err(error),
            }
        }
        let sent = parts
            .iter()
            .map(|((topic, queue), part)| self.send(topic, queue, part));
        let mut doubtful = Vec::new();
        for (((topic, _), part), sent) in parts.iter().zip(join_all(sent).await) {
            if sent.iter().any(|sent| {
                sent.as_ref()
                    .is_err_and(|error| error.kind() == PublishErrorKind::Unavailable)
            }) && !doubtful.contains(topic)
            {
                doubtful.push(topic);
            }
            for (at, sent) in part.at.iter().zip(sent) {
                answers[*at] = sent;
            }
        }
        for topic in doubtful {
            self.look_again(topic).await;
        }
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        let unavailable =
            |error: BrokerError| PublishError::unavailable(error.to_string()).with_source(error);
        for master in self.cluster.masters().await.map_err(unavailable)? {
            // The first queue of a topic that each broker has.
            let command = Command::new(ask::MAX_OFFSET)
                .with("topic", super::cluster::EVERYWHERE)
                .with("queueId", 0);
            let asked = self.cluster.demand(&master, "asking a broker", command).await;
            asked.map_err(unavailable)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for RocketMqPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocketMqPublisher")
            .field("prefix", &self.settings.prefix)
            .finish_non_exhaustive()
    }
}
