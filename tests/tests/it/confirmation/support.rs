//! A sender, and what it is asked about its confirmations, on whichever database.

use std::time::Duration;

use outbox_core::confirmation::{Confirm, Confirmation};
use outbox_core::consumer::{Consumer, ConsumerBuilder, Handler};
use outbox_core::{MessageBuilder, MessageId};
use outbox_sqlx::confirmations::{Confirmations, PendingFilter, Recorded, Standing, Swept, Unconfirmed};
use outbox_sqlx::queue::SqlQueue;
use outbox_tests::on_pool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{World, message};

/// Where the confirmations go.
pub const CONFIRMED: &str = "work.confirmed";
/// Longer than any test runs: what ends the waiting is not its deadline.
pub const LONG: Duration = Duration::from_secs(3_600);

pub const WAITING: &str = "SELECT count(*) FROM outbox_awaiting";
pub const DEAD: &str = "SELECT count(*) FROM outbox_dead";

/// What a message asks of these groups.
pub fn by(groups: &[&str]) -> Confirm {
    Confirm::by(groups.iter().copied(), LONG).to(CONFIRMED)
}

/// A message that asks, with an id that is known before it is published.
pub fn asking(key: &str, text: &str, confirm: Confirm) -> (MessageId, MessageBuilder) {
    let id = MessageId::new();
    (id, message(key, text).id(id).confirm_by(confirm).unwrap())
}

pub async fn record(world: &World, id: MessageId, group: &str) -> Recorded {
    let confirmation = Confirmation::new(id, group).unwrap();
    on_pool!(&world.backend, pool => Confirmations::new(pool.clone()).record(&confirmation).await.unwrap())
}

pub async fn record_all(world: &World, all: &[(MessageId, &str)]) -> Vec<Recorded> {
    let all: Vec<_> = all
        .iter()
        .map(|&(id, group)| Confirmation::new(id, group).unwrap())
        .collect();
    on_pool!(&world.backend, pool => Confirmations::new(pool.clone()).record_all(&all).await.unwrap())
}

pub async fn sweep(world: &World) -> Swept {
    on_pool!(&world.backend, pool => Confirmations::new(pool.clone()).sweep().await.unwrap())
}

pub async fn pending(world: &World) -> Vec<Unconfirmed> {
    let all = PendingFilter::new();
    on_pool!(&world.backend, pool => Confirmations::new(pool.clone()).pending(&all).await.unwrap())
}

pub async fn standing(world: &World, id: MessageId) -> Standing {
    on_pool!(&world.backend, pool => Confirmations::new(pool.clone()).of(id).await.unwrap())
}

/// The groups that have confirmed, by name.
pub fn groups_of(standing: &Standing) -> Vec<&str> {
    let mut groups: Vec<_> = standing.confirmed.iter().map(|c| c.group.as_str()).collect();
    groups.sort_unstable();
    groups
}

/// All deadlines have passed: instead of waiting for them.
pub async fn expire(world: &World) {
    let sql = match world.kind() {
        crate::support::Kind::Postgres => {
            "UPDATE outbox_awaiting SET deadline_at = now() - interval '1 second'"
        }
        crate::support::Kind::MySql => {
            "UPDATE outbox_awaiting SET deadline_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"
        }
        crate::support::Kind::Sqlite => "UPDATE outbox_awaiting SET deadline_at = 1",
    };
    world.backend.execute(sql).await.unwrap();
}

/// A consumer in this process.
pub struct Consuming {
    stop: CancellationToken,
    task: JoinHandle<outbox_core::consumer::Stopped>,
}

impl Consuming {
    pub async fn start(queue: &SqlQueue, group: &str, topic: &str, handler: impl Handler) -> Self {
        let subscriber = queue.subscribe(group, [topic]).await.unwrap();
        Self::run(Consumer::builder(subscriber, handler))
    }

    fn run(consumer: ConsumerBuilder) -> Self {
        let consumer = consumer.handler_timeout(Duration::from_secs(10)).build().unwrap();
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(consumer.run(stop.clone())),
            stop,
        }
    }

    /// The sender's consumer of the confirmations.
    pub async fn recorder(world: &World, queue: &SqlQueue) -> Self {
        let subscriber = queue.subscribe("sender", [CONFIRMED]).await.unwrap();
        on_pool!(&world.backend, pool => {
            Self::run(Consumer::batch_builder(subscriber, Confirmations::new(pool.clone())))
        })
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}
