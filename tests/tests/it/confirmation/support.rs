use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use outbox_core::confirmation::Confirmation;
use outbox_core::memory::MemoryQueue;
use outbox_core::{Confirm, Message, MessageId, Subscriber as _};
use outbox_sqlx::Outbox;
use outbox_sqlx::confirmations::{Confirmations, PendingFilter, Recorded, Standing, Swept, Unconfirmed};
use outbox_sqlx::dead::{DeadFilter, DeadLetter};
use outbox_tests::on_pool;

use crate::support::{Kind, Running, SOON, World, start};

pub const TOPIC: &str = "orders.placed";
pub const CONFIRMED: &str = "orders.confirmed";

/// A sender, a queue in memory, and what relays between them.
pub struct Sender {
    pub world: World,
    pub outbox: Outbox,
    pub queue: MemoryQueue,
}

/// The same on each database.
macro_rules! confirmations {
    ($sender:expr, $confirmations:ident => $body:expr) => {
        on_pool!(&$sender.world.backend, pool => {
            let $confirmations = Confirmations::new(pool.clone());
            $body
        })
    };
}
pub(super) use confirmations;

impl Sender {
    pub async fn new(kind: Kind) -> Option<Self> {
        Some(Self {
            world: World::new(kind).await?,
            outbox: Outbox::new(),
            queue: MemoryQueue::new(),
        })
    }

    pub fn relay(&self) -> Running {
        start(&self.world, &self.outbox, self.queue.publisher(), |_| {})
    }

    /// Publishes a message that asks these groups, of which so many are enough.
    pub async fn publish(&self, key: &str, groups: &[&str], at_least: usize, resends: u32) -> MessageId {
        let within = Duration::from_secs(3_600);
        let confirm = Confirm::by(groups.iter().copied(), within)
            .to(CONFIRMED)
            .at_least(at_least)
            .resends(resends);
        let message = Message::builder(TOPIC).key(key).confirm_by(confirm).unwrap();
        let id = message.clone().build().unwrap().id();
        self.world.publish(&self.outbox, [message]).await;
        id
    }

    pub async fn record(&self, id: MessageId, group: &str) -> Recorded {
        let confirmation = Confirmation::new(id, group).unwrap();
        confirmations!(self, confirmations => confirmations.record(&confirmation).await.unwrap())
    }

    pub async fn sweep(&self) -> Swept {
        confirmations!(self, confirmations => confirmations.sweep().await.unwrap())
    }

    pub async fn pending(&self) -> Vec<Unconfirmed> {
        confirmations!(self, confirmations => confirmations.pending(&PendingFilter::new()).await.unwrap())
    }

    pub async fn standing(&self, id: MessageId) -> Standing {
        confirmations!(self, confirmations => confirmations.of(id).await.unwrap())
    }

    pub async fn dead(&self) -> Vec<DeadLetter> {
        on_pool!(&self.world.backend, pool => outbox_sqlx::dead::list(pool, &DeadFilter::default()).await.unwrap())
    }

    /// What waits becomes overdue: deadlines are the database's clock's, and are moved there.
    pub async fn let_deadlines_pass(&self) {
        self.world
            .backend
            .execute("UPDATE outbox_awaiting SET deadline_at = since")
            .await
            .unwrap();
    }

    /// Waits until so many messages wait for confirmations and none in the outbox.
    pub async fn wait_awaiting(&self, expected: i64) {
        self.world.wait_empty(SOON).await;
        self.world
            .wait_count("SELECT count(*) FROM outbox_awaiting", expected, SOON)
            .await;
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        self.world.backend.count(sql).await.unwrap()
    }
}

/// The next deliveries, acknowledged.
pub async fn receive(
    subscriber: &mut outbox_core::memory::MemorySubscriber,
    messages: usize,
) -> Vec<Message> {
    let mut received = Vec::new();
    while received.len() < messages {
        for delivery in within(subscriber.receive(messages)).await.unwrap() {
            received.push(delivery.message().clone());
            delivery.ack().await.unwrap();
        }
    }
    received
}

pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(SOON, future).await.expect("soon")
}

/// The groups that are missing.
pub fn missing(pending: &[Unconfirmed]) -> HashSet<&str> {
    pending
        .iter()
        .flat_map(|message| message.missing.iter().map(String::as_str))
        .collect()
}
