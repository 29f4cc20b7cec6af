//! What the tests share.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use outbox_core::relay::{Relay, RelayConfig, RelayStats, Stopped};
use outbox_core::retry::RetryPolicy;
use outbox_core::{Message, Publisher};
use outbox_sqlx::Outbox;
use outbox_sqlx::queue::SqlQueue;
use outbox_test_harness::{ChildProcess, Scratch, requirement};
use outbox_tests::{Backend, Journal, on_pool};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough for anything that is not broken, on a machine that is busy with ten other things.
pub const SOON: Duration = Duration::from_secs(120);

/// Which kind of database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    MySql,
    Sqlite,
}

/// A database of a test's own, which goes away with it.
pub struct World {
    pub backend: Backend,
    pub url: String,
    pub scratch: Scratch,
    /// Dropped with the world, whichever kind it is of.
    _database: Option<Box<dyn std::any::Any + Send>>,
}

impl World {
    /// A fresh database; `None` (and reported) where there is no server.
    pub async fn new(kind: Kind) -> Option<Self> {
        show_logs();
        let scratch = Scratch::new().unwrap();
        let (url, database): (_, Option<Box<dyn std::any::Any + Send>>) = match kind {
            Kind::Sqlite => (sqlite_url(scratch.path()), None),
            Kind::Postgres => {
                let database = requirement::shared_postgres_database()?;
                (database.url().to_owned(), Some(Box::new(database) as _))
            }
            Kind::MySql => {
                let database = requirement::shared_mysql_database()?;
                (database.url().to_owned(), Some(Box::new(database) as _))
            }
        };
        Some(Self {
            backend: Backend::set_up(&url).await.unwrap(),
            url,
            scratch,
            _database: database,
        })
    }

    /// A database that is there already, at a server the test may harm.
    pub async fn at(url: String) -> Self {
        show_logs();
        let scratch = Scratch::new().unwrap();
        Self {
            backend: Backend::set_up(&url).await.unwrap(),
            url,
            scratch,
            _database: None,
        }
    }

    pub fn kind(&self) -> Kind {
        match self.backend {
            Backend::Postgres(_) => Kind::Postgres,
            Backend::MySql(_) => Kind::MySql,
            Backend::Sqlite(_) => Kind::Sqlite,
        }
    }

    pub fn journal(&self) -> Journal {
        Journal::open(&self.scratch.path().join("journal")).unwrap()
    }

    /// A relay in a process of its own.
    pub fn spawn_relay(&self, more: &[&str]) -> ChildProcess {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fault-relay"));
        command
            .args(["--database", &self.url, "--journal"])
            .arg(self.scratch.path().join("journal"))
            .args(more);
        let mut relay = ChildProcess::spawn(command).unwrap();
        relay.line_where(SOON, |line| line == "ready").unwrap();
        relay
    }

    /// A consumer in a process of its own, which writes what it handles to the journal of its group.
    pub fn spawn_consumer(&self, group: &str, more: &[&str]) -> ChildProcess {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fault-consumer"));
        command
            .args(["--database", &self.url, "--group", group, "--journal"])
            .arg(self.scratch.path().join(group))
            .args(more);
        let mut consumer = ChildProcess::spawn(command).unwrap();
        consumer.line_where(SOON, |line| line == "ready").unwrap();
        consumer
    }

    /// A producer of half messages in a process of its own, once it printed this line and stands still.
    pub fn spawn_producer(&self, until: &str) -> (ChildProcess, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fault-producer"));
        command.args(["--database", &self.url, "--stand-still", until]);
        let mut producer = ChildProcess::spawn(command).unwrap();
        let line = producer.line_where(SOON, |line| line.starts_with(until)).unwrap();
        (producer, line)
    }

    /// What a group has handled.
    pub fn journal_of(&self, group: &str) -> Journal {
        Journal::open(&self.scratch.path().join(group)).unwrap()
    }

    /// Waits until a group has nothing left to do.
    pub async fn wait_handled(&self, queue: &SqlQueue, group: &str, limit: Duration) {
        let begun = std::time::Instant::now();
        loop {
            let info = queue.group(group).await.unwrap();
            if info.backlog() == 0 {
                return;
            }
            assert!(begun.elapsed() < limit, "after {limit:?} there is still {info:?}");
            // A table tells nobody when it changes.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Publishes messages, each in a transaction of its own.
    pub async fn publish(
        &self,
        outbox: &Outbox,
        messages: impl IntoIterator<Item = outbox_core::MessageBuilder>,
    ) {
        for message in messages {
            on_pool!(&self.backend, pool => {
                outbox
                    .transaction(pool, async |tx| outbox.publish(tx, message.clone()).await)
                    .await
                    .unwrap();
            });
        }
    }

    /// One statement, put together by a test.
    pub async fn execute_text(&self, sql: String) {
        let sql = sqlx::AssertSqlSafe(sql);
        on_pool!(&self.backend, pool => {
            sqlx::query(sql).execute(pool).await.unwrap();
        });
    }

    /// Waits until the outbox is empty.
    pub async fn wait_empty(&self, limit: Duration) {
        self.wait_count("SELECT count(*) FROM outbox", 0, limit).await;
    }

    /// Waits until a query gives a number.
    pub async fn wait_count(&self, sql: &'static str, expected: i64, limit: Duration) {
        let begun = std::time::Instant::now();
        loop {
            let count = self.backend.count(sql).await.unwrap();
            if count == expected {
                return;
            }
            assert!(
                begun.elapsed() < limit,
                "{sql}: {count}, not {expected}, after {limit:?}"
            );
            // A table tells nobody when it changes.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// What the crates log, beside what a failed test printed. OUTBOX_TEST_LOG chooses.
pub fn show_logs() {
    let filter =
        std::env::var("OUTBOX_TEST_LOG").unwrap_or_else(|_| "outbox_core=info,outbox_sqlx=info".into());
    // Another test of this process may have been first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer()
        .try_init();
}

pub fn sqlite_url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("outbox.db").display())
}

/// Ends a relay in a process of its own.
pub fn terminate(mut relay: ChildProcess) {
    relay.terminate().unwrap();
    let figures = relay
        .line_where(SOON, |line| line.starts_with("stopped "))
        .unwrap();
    assert!(relay.wait_timeout(SOON).unwrap().success());
    assert!(
        figures.contains(" late=0 "),
        "a full pass found what the passes had missed: {figures}"
    );
}

/// Ends a consumer in a process of its own, in good order.
pub fn terminate_consumer(mut consumer: ChildProcess) {
    consumer.terminate().unwrap();
    consumer
        .line_where(SOON, |line| line.starts_with("stopped "))
        .unwrap();
    assert!(consumer.wait_timeout(SOON).unwrap().success());
}

/// A relay in this process.
pub struct Running {
    pub stats: Arc<RelayStats>,
    stop: CancellationToken,
    task: JoinHandle<Stopped>,
}

impl Running {
    pub fn start(relay: Relay) -> Self {
        let (stats, stop) = (relay.stats(), CancellationToken::new());
        Self {
            stats,
            task: tokio::spawn(relay.run(stop.clone())),
            stop,
        }
    }

    pub async fn stop(self) -> Stopped {
        self.stop.cancel();
        let stopped = self.task.await.unwrap();
        assert_eq!(
            self.stats.late.get(),
            0,
            "a full pass found what the passes had missed"
        );
        stopped
    }
}

/// Starts a relay in this process that hears `outbox`.
pub fn start(
    world: &World,
    outbox: &Outbox,
    sink: impl Publisher,
    change: impl FnOnce(&mut RelayConfig),
) -> Running {
    let mut config = RelayConfig::default();
    config.lease = Duration::from_secs(2);
    config.publish_timeout = Duration::from_millis(1_000);
    config.default_policy = RetryPolicy::DEFAULT.with_backoff(
        Duration::from_millis(1),
        Duration::from_millis(5),
        Duration::from_millis(50),
    );
    change(&mut config);
    Running::start(
        world
            .backend
            .relay(sink, config)
            .unwrap()
            .with_wake(outbox.waker()),
    )
}

/// A message of `key` whose payload is `text`.
pub fn message(key: &str, text: &str) -> outbox_core::MessageBuilder {
    Message::builder("work.done")
        .key(key)
        .payload(text.to_owned(), "text/plain")
}

/// Rounds of a fault test: few by default, many with `--full`.
pub fn rounds(short: u32, full: u32) -> u32 {
    if outbox_test_harness::environment::is_full() {
        full
    } else {
        short
    }
}

/// The seed of a run: printed, and taken from OUTBOX_TEST_SEED when that is set.
pub fn seed() -> u64 {
    let seed = std::env::var("OUTBOX_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("seed={seed}");
    seed
}

/// A server of a test's own, to be killed and frozen.
pub enum Server {
    Postgres(outbox_test_harness::Postgres),
    MySql(outbox_test_harness::Mysql),
}

/// Either server has the same handles.
macro_rules! on_server {
    ($server:expr, $inner:ident => $body:expr) => {
        match $server {
            Server::Postgres($inner) => $body,
            Server::MySql($inner) => $body,
        }
    };
}

impl Server {
    /// `None` (and reported) where there are no programs to start one with.
    pub fn start(kind: Kind) -> Option<Self> {
        Self::start_with(kind, outbox_test_harness::PostgresOptions::new())
    }

    /// One that, if it is Postgres, brings to the disk what no commit waited for as late as it may.
    pub fn start_in_no_hurry(kind: Kind) -> Option<Self> {
        let options = outbox_test_harness::PostgresOptions::new().setting("wal_writer_delay", "10s");
        Self::start_with(kind, options)
    }

    fn start_with(kind: Kind, postgres: outbox_test_harness::PostgresOptions) -> Option<Self> {
        match kind {
            Kind::Postgres => requirement::private_postgres(&postgres).map(Self::Postgres),
            Kind::MySql => {
                requirement::private_mysql(&outbox_test_harness::MysqlOptions::new()).map(Self::MySql)
            }
            Kind::Sqlite => panic!("SQLite has no server"),
        }
    }

    /// A database on it.
    pub async fn world(&self) -> World {
        World::at(on_server!(self, server => server.create_database("faults").unwrap())).await
    }

    pub fn kill(&mut self) {
        on_server!(self, server => server.kill().unwrap());
    }

    pub fn restart(&mut self) {
        on_server!(self, server => server.restart().unwrap());
    }

    pub fn freeze(&self) {
        on_server!(self, server => server.freeze().unwrap());
    }

    pub fn thaw(&self) {
        on_server!(self, server => server.thaw());
    }
}

/// Defines one test per kind of database.
macro_rules! on_each {
    ($($(#[$meta:meta])* async fn $name:ident($kind:ident: Kind) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                async fn run($kind: Kind) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    run(Kind::Postgres).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn mysql() {
                    run(Kind::MySql).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    run(Kind::Sqlite).await;
                }
            }
        )*
    };
}

/// Defines one test per kind of database that is a server: several processes share it, and several transactions write
/// at once.
macro_rules! on_servers {
    ($($(#[$meta:meta])* async fn $name:ident($kind:ident: Kind) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                use super::*;

                async fn run($kind: Kind) $body

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    run(Kind::Postgres).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn mysql() {
                    run(Kind::MySql).await;
                }
            }
        )*
    };
}
