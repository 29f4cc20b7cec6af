//! A queue of a test's own, its members, and what they do.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use outbox_core::group::Start;
use outbox_core::{Delivery, Message, MessageId, PublishError, Publisher, ReceiveError, Subscriber};
use outbox_tests::{MemoryBackend, QueueBackend, SqlBackend};
use tokio::time::timeout;

use crate::support::{self, SOON, World};

/// Defines one test per backend. Each gets a queue of its own.
macro_rules! on_every_queue {
    ($($(#[$meta:meta])* async fn $name:ident($queue:ident: Queue) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                #[allow(unused_imports, reason = "not every test needs what its file has")]
                use super::*;
                use crate::queue_conformance::support::{Kind, Queue};

                async fn run($queue: Queue) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn memory() {
                    Kind::Memory.run(run).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    Kind::Sqlite.run(run).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    Kind::Postgres.run(run).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn mysql() {
                    Kind::MySql.run(run).await;
                }
            }
        )*
    };
}

/// Where most tests publish.
pub const TOPIC: &str = "orders.placed";
/// The group of most tests.
pub const GROUP: &str = "shipping";
/// Longer than any test runs.
pub const LONG: Duration = Duration::from_secs(3_600);
/// How long it is looked for what must not come: the only bounded wait. A backend that hands it out later than this
/// escapes; none is failed wrongly.
const A_WHILE: Duration = Duration::from_millis(300);
/// Which backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Memory,
    Sqlite,
    Postgres,
    MySql,
}

impl Kind {
    /// Runs a test on a queue that keeps what was read.
    pub async fn run<F: Future<Output = ()>>(self, test: impl FnOnce(Queue) -> F) {
        // Where there is no server it is reported as left out.
        if let Some(queue) = Queue::new(self, LONG).await {
            test(queue).await;
        }
    }
}

/// A queue of a test's own, which goes away with it.
pub struct Queue {
    pub kind: Kind,
    backend: Arc<dyn QueueBackend>,
    _world: Option<World>,
}

impl Deref for Queue {
    type Target = dyn QueueBackend;

    fn deref(&self) -> &Self::Target {
        &*self.backend
    }
}

impl Queue {
    /// An empty queue. `keep`: how long one that forgets by itself keeps what was read.
    pub async fn new(kind: Kind, keep: Duration) -> Option<Self> {
        crate::support::show_logs();
        let world = match kind {
            Kind::Memory => None,
            Kind::Sqlite => Some(World::new(support::Kind::Sqlite).await?),
            Kind::Postgres => Some(World::new(support::Kind::Postgres).await?),
            Kind::MySql => Some(World::new(support::Kind::MySql).await?),
        };
        let backend: Arc<dyn QueueBackend> = match &world {
            None => Arc::new(MemoryBackend::new(keep)),
            Some(world) => Arc::new(SqlBackend::open(&world.url).await.unwrap()),
        };
        Some(Self {
            kind,
            backend,
            _world: world,
        })
    }

    /// For a task of its own.
    pub fn backend(&self) -> Arc<dyn QueueBackend> {
        Arc::clone(&self.backend)
    }

    /// From now on a handle as another process would have it.
    pub async fn restart(&mut self) {
        self.backend = self.backend.reopen().await.unwrap();
    }

    /// A member of [`GROUP`] for [`TOPIC`], from the beginning.
    pub async fn member(&self) -> Member {
        self.member_of(GROUP, Start::Beginning).await
    }

    /// A member of a group for [`TOPIC`].
    pub async fn member_of(&self, group: &str, start: Start) -> Member {
        Member(self.subscribe(start, group, &[TOPIC]).await.unwrap())
    }

    /// Publishes a batch, all of which is taken.
    pub async fn publish(&self, batch: &[Message]) {
        publish(&*self.publisher(), batch).await;
    }

    /// Publishes `text`s of a key.
    pub async fn say(&self, key: &str, texts: impl IntoIterator<Item = impl ToString>) {
        let batch: Vec<_> = texts
            .into_iter()
            .map(|text| message(key, &text.to_string()))
            .collect();
        self.publish(&batch).await;
    }

    /// Waits until the group has nothing to do.
    pub async fn finished(&self, group: &str) {
        eventually("the group has finished", async || {
            self.group(group).await.unwrap().unfinished == 0
        })
        .await;
    }

    /// Waits until the group has so many members.
    pub async fn has_members(&self, group: &str, members: u64) {
        eventually("the members are there", async || {
            self.group(group).await.unwrap().members == members
        })
        .await;
    }
}

/// Publishes a batch, all of which is taken.
pub async fn publish(publisher: &dyn Publisher, batch: &[Message]) {
    for answer in publisher.publish(batch).await {
        answer.unwrap();
    }
}

/// As [`publish`], in as many batches as the publisher needs.
pub async fn publish_many(publisher: &dyn Publisher, messages: &[Message]) {
    for batch in messages.chunks(publisher.capabilities().max_batch) {
        publish(publisher, batch).await;
    }
}

/// What became of each message.
pub async fn try_publish(queue: &Queue, batch: &[Message]) -> Vec<Result<(), PublishError>> {
    queue.publisher().publish(batch).await
}

/// A message of `key` whose payload is `text`.
pub fn message(key: &str, text: &str) -> Message {
    Message::builder(TOPIC)
        .key(key)
        .payload(text.to_owned(), "text/plain")
        .build()
        .unwrap()
}

/// `per_key` messages of each of `keys` keys, taking turns: `k0 0`, `k1 0`, …, `k0 1`, …
pub fn spread(keys: usize, per_key: usize) -> Vec<Message> {
    (0..per_key)
        .flat_map(|n| (0..keys).map(move |key| message(&format!("k{key}"), &n.to_string())))
        .collect()
}

/// Polls until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < SOON, "not within {SOON:?}: {what}");
        // A group tells nobody outside when it changes.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A time that is later than all that was done, and earlier than all that comes, also by a clock of milliseconds.
pub async fn a_moment() -> SystemTime {
    let tick = Duration::from_millis(20);
    let before = SystemTime::now();
    tokio::time::sleep(tick).await;
    let moment = before + tick / 2;
    eventually("the clock goes on", async || SystemTime::now() > before + tick).await;
    moment
}

/// What a delivery was, without the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: MessageId,
    pub key: String,
    pub text: String,
    pub attempt: u32,
    pub queue: u32,
    pub offset: u64,
}

impl Seen {
    pub fn of(delivery: &Delivery) -> Self {
        let message = delivery.message();
        Self {
            id: message.id(),
            key: message.key().unwrap_or_default().to_owned(),
            text: String::from_utf8_lossy(message.payload()).into_owned(),
            attempt: delivery.attempt(),
            queue: delivery.queue(),
            offset: delivery.offset(),
        }
    }
}

/// The texts, in their order.
pub fn texts(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| &*seen.text).collect()
}

/// The texts of each key, in their order.
pub fn by_key(seen: &[Seen]) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for seen in seen {
        keys.entry(seen.key.clone()).or_default().push(seen.text.clone());
    }
    keys
}

/// Each key has the numbers from 0 to `per_key`, each once and in order.
pub fn assert_in_order(seen: &[Seen], keys: usize, per_key: usize) {
    let by_key = by_key(seen);
    assert_eq!(by_key.len(), keys, "{:?}", by_key.keys());
    for (key, texts) in by_key {
        let expected: Vec<String> = (0..per_key).map(|n| n.to_string()).collect();
        assert_eq!(texts, expected, "of key {key}");
    }
}

/// What a handler says of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    Ack,
    Retry(Duration),
    Dead,
    Drop,
}

/// A member of a group.
pub struct Member(pub Box<dyn Subscriber>);

impl Member {
    /// The next deliveries.
    pub async fn next(&mut self, max: usize) -> Vec<Delivery> {
        let received = timeout(SOON, self.0.receive(max)).await;
        let deliveries = received.expect("nothing came").unwrap();
        assert!(!deliveries.is_empty() && deliveries.len() <= max);
        deliveries
    }

    /// The next delivery.
    pub async fn one(&mut self) -> Delivery {
        self.next(1).await.remove(0)
    }

    /// So many deliveries, none of which has an outcome yet.
    pub async fn hold(&mut self, count: usize) -> Vec<Delivery> {
        let mut held = Vec::new();
        while held.len() < count {
            held.extend(self.next(count - held.len()).await);
        }
        held
    }

    /// Acknowledges so many messages.
    pub async fn handle(&mut self, count: usize) -> Vec<Seen> {
        self.work(count, |_| Say::Ack).await
    }

    /// Handles messages as a consumer does, until so many are finished: those of a key one after the other, and what
    /// came together with one that failed is dropped. All outcomes in their order.
    pub async fn work(&mut self, finish: usize, say: impl FnMut(&Seen) -> Say) -> Vec<Seen> {
        let log = self.log(finish, say).await;
        let done = log
            .into_iter()
            .filter(|(_, said)| matches!(said, Say::Ack | Say::Dead));
        done.map(|(seen, _)| seen).collect()
    }

    /// As [`Member::work`], with all that was said.
    pub async fn log(&mut self, finish: usize, mut say: impl FnMut(&Seen) -> Say) -> Vec<(Seen, Say)> {
        let (mut log, mut finished) = (Vec::new(), 0);
        while finished < finish {
            let mut failed: Vec<String> = Vec::new();
            for delivery in self.next((finish - finished).min(100)).await {
                let seen = Seen::of(&delivery);
                if !seen.key.is_empty() && failed.contains(&seen.key) {
                    continue;
                }
                let said = say(&seen);
                match said {
                    Say::Ack => delivery.ack().await.unwrap(),
                    Say::Dead => delivery.dead("broken").await.unwrap(),
                    Say::Retry(after) => delivery.retry(after, "not now").await.unwrap(),
                    Say::Drop => drop(delivery),
                }
                match said {
                    Say::Ack | Say::Dead => finished += 1,
                    Say::Retry(_) | Say::Drop => failed.push(seen.key.clone()),
                }
                log.push((seen, said));
            }
        }
        log
    }

    /// Nothing comes for a while.
    pub async fn gets_nothing(&mut self) {
        if let Ok(received) = timeout(A_WHILE, self.0.receive(10)).await {
            panic!("came, and must not: {received:?}");
        }
    }

    /// Whether anything comes within a time.
    pub async fn any_within(&mut self, time: Duration) -> Option<Vec<Delivery>> {
        timeout(time, self.0.receive(1)).await.ok().map(Result::unwrap)
    }

    /// Waits until it is told that it is no member any more.
    pub async fn is_closed(&mut self) {
        let closed = async {
            loop {
                match self.0.receive(10).await {
                    Ok(_) => {}
                    Err(ReceiveError::Closed) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        timeout(SOON, closed).await.expect("it is a member still");
    }

    /// Leaves the group.
    pub async fn close(mut self) {
        self.0.close().await.unwrap();
    }
}
