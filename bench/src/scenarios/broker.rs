//! `broker`: how fast the relay delivers to a message broker.
//!
//! A private broker on this machine. The floor is the broker's own client ([`crate::floor::broker`]), which sends messages that it
//! has in memory, with as many under way as our publisher lets out (`Capabilities`). Ours is the relay: it reads the same
//! number of messages from the outbox, publishes them with the adapter, and deletes them; timed from the moment it is
//! connected to the end of the DELETE of the last one. Both take turns on the same broker, which keeps what it got.
//!
//! A consumer group was there before, so that RabbitMQ has somewhere to put them.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use outbox_brokers::{Broker, Ordering};
use outbox_core::Message;
use outbox_test_harness::{KafkaOptions, NatsOptions, RabbitMqOptions, RedisOptions, RocketMqOptions};
use serde_json::Map;
use sqlx::{MySql, Postgres, Sqlite};

use crate::cli::{BrokerArgs, BrokerName, Common};
use crate::content::{KEY_BYTES, PAYLOAD_BYTES, TOPIC, key, payload};
use crate::database::{Engine, Kind, Server};
use crate::floor::broker::{self, Client};
use crate::progress::Progress;
use crate::relay::Running;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, ratios};

const MESSAGES: u64 = 50_000;
const ROUNDS: usize = 7;
const TARGET: f64 = 0.85;

pub(crate) async fn run(common: &Common, args: &BrokerArgs, server: &mut Server) -> Result<Report> {
    match server.kind() {
        Kind::Postgres => measure::<Postgres>(common, args, server).await,
        Kind::Mysql => measure::<MySql>(common, args, server).await,
        Kind::Sqlite => measure::<Sqlite>(common, args, server).await,
    }
}

/// A broker of this run's own, for as long as it lives.
struct Private {
    _server: Box<dyn std::any::Any + Send>,
    version: String,
    broker: Arc<dyn Broker>,
    client: Arc<dyn Client>,
}

impl Private {
    async fn start(args: &BrokerArgs) -> Result<Self> {
        let name = args.name;
        let (server, version, url) = tokio::task::spawn_blocking(move || start(name)).await??;
        let settings = args.with.as_deref().unwrap_or_default();
        let broker = outbox_brokers::connect(&format!("{url}?{settings}")).await?;
        let client: Arc<dyn Client> = match name {
            BrokerName::Kafka => {
                let servers = url.split_once("://").map_or(&*url, |(_, servers)| servers);
                Arc::new(broker::Kafka::connect(servers)?)
            }
            BrokerName::Nats => Arc::new(broker::Nats::connect(&url).await?),
            BrokerName::Redis => Arc::new(broker::Redis::connect(&url).await?),
            BrokerName::Rabbitmq => Arc::new(broker::RabbitMq::connect(&url).await?),
            BrokerName::Rocketmq => {
                let name_server = url
                    .split_once("://")
                    .map_or(&*url, |(_, name_server)| name_server);
                Arc::new(broker::RocketMq::connect(name_server).await?)
            }
        };
        let mut member = broker.subscribe("bench", &[TOPIC], Ordering::PerKey).await?;
        member.close().await?;
        Ok(Self {
            _server: server,
            version,
            broker,
            client,
        })
    }
}

type Started = (Box<dyn std::any::Any + Send>, String, String);

fn start(name: BrokerName) -> Result<Started> {
    Ok(match name {
        BrokerName::Kafka => {
            let server = outbox_test_harness::Kafka::start_with(&KafkaOptions::new())
                .context("a private Kafka: `cargo xtask test` fetches it")?;
            let (version, url) = (
                outbox_test_harness::KafkaBinaries::VERSION.to_owned(),
                server.url(),
            );
            (Box::new(server), version, url)
        }
        BrokerName::Nats => {
            let server = outbox_test_harness::Nats::start_with(&NatsOptions::new())
                .context("a private NATS: install nats-server, as `cargo xtask test` does")?;
            let (version, url) = (server.version().to_owned(), server.url());
            (Box::new(server), version, url)
        }
        BrokerName::Redis => {
            let on_disk = RedisOptions::new()
                .setting("appendonly", "yes")
                .setting("appendfsync", "always");
            let server = outbox_test_harness::Redis::start_with(&on_disk)
                .context("a private Redis: install redis-server, as `cargo xtask test` does")?;
            let (version, url) = (server.version().to_owned(), server.url());
            (Box::new(server), version, url)
        }
        BrokerName::Rabbitmq => {
            let server = outbox_test_harness::RabbitMq::start_with(&RabbitMqOptions::new())
                .context("a private RabbitMQ: install rabbitmq-server, as `cargo xtask test` does")?;
            let (version, url) = (server.version().to_owned(), server.url());
            (Box::new(server), version, url)
        }
        BrokerName::Rocketmq => {
            // Large files, as a server has them that is no test's.
            let options = RocketMqOptions::new().configuration("mappedFileSizeCommitLog=268435456");
            let server = outbox_test_harness::RocketMq::start_with(&options)
                .context("a private RocketMQ: `cargo xtask test` fetches it")?;
            let (version, url) = (
                outbox_test_harness::RocketMqBinaries::VERSION.to_owned(),
                server.url(),
            );
            (Box::new(server), version, url)
        }
    })
}

async fn measure<E: Engine>(common: &Common, args: &BrokerArgs, server: &mut Server) -> Result<Report> {
    let database = server.database().await?;
    let private = Private::start(args).await?;
    let window = private.broker.publisher().capabilities();
    let messages = args
        .messages
        .unwrap_or_else(|| common.scaled(MESSAGES, 800.0, 1_000));
    let rounds = common.rounds_or(ROUNDS, 5);
    let pool = E::pool(&database.url, 1).await?;
    let progress = Progress::new(rounds as u64 * 2);
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Who begins alternates.
        for turn in [round % 2, (round + 1) % 2] {
            progress.says(format!("round {} of {rounds}: loading", round + 1));
            let took = if turn == 0 {
                let messages = Arc::new(made(messages)?);
                progress.says(format!("round {} of {rounds}: the client", round + 1));
                broker::publish_all(Arc::clone(&private.client), &messages, window).await?
            } else {
                E::empty(&pool).await?;
                E::load(&pool, messages, messages).await?;
                E::settle_down(&pool).await?;
                progress.says(format!("round {} of {rounds}: the relay", round + 1));
                let mut relay = Running::start_to(&database, private.broker.publisher()).await?;
                relay.settled(messages).await?;
                let took = relay.meter.settled_at() - relay.meter.opened_at();
                let delivered = relay.stop().await?.delivered;
                ensure!(delivered == messages, "{delivered} of {messages} were delivered");
                took
            };
            let rate = messages as f64 / took.as_secs_f64();
            if turn == 0 { &mut floor } else { &mut ours }.push(rate);
            progress.step();
        }
    }
    drop(progress);
    if E::pending(&pool).await? != 0 {
        bail!("something was left in the outbox");
    }
    pool.close().await;
    let ratio = Interval::of(&ratios(&ours, &floor));
    let (floor, ours) = (Spread::of(&floor), Spread::of(&ours));
    let mut table = Table::new(["", "messages/s", "lowest – highest"]);
    for (name, spread) in [("the client", &floor), ("the relay", &ours)] {
        let range = pretty_range(spread.low, spread.high);
        table.row([name, &pretty(spread.median), &range]);
    }
    table.row([
        format!("ratio (target ≥ {TARGET})"),
        pretty(ratio.median),
        pretty_range(ratio.low, ratio.high),
    ]);
    let mut settings = Map::new();
    settings.insert("broker".into(), args.name.as_str().into());
    settings.insert("version".into(), private.version.as_str().into());
    settings.insert("with".into(), args.with.clone().into());
    settings.insert("messages".into(), messages.into());
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    settings.insert("key_bytes".into(), KEY_BYTES.into());
    settings.insert("batch".into(), window.max_batch.into());
    settings.insert("in_flight".into(), window.max_in_flight.into());
    let mut details = Map::new();
    details.insert("target".into(), number(TARGET));
    details.insert("ratio_interval".into(), ratio.into());
    details.insert("floor_spread".into(), floor.into());
    details.insert("ours_spread".into(), ours.into());
    Ok(Report {
        scenario: "broker",
        database: common.database.to_string(),
        unit: "messages/s",
        measured: format!(
            "{} messages to {} ({}), in batches of {} with {} at a time: by its client from memory, and by the relay from the \
             outbox.",
            pretty(messages as f64),
            args.name.as_str(),
            private.version,
            window.max_batch,
            window.max_in_flight
        ),
        floor: Some(floor.median),
        ours: ours.median,
        ratio: Some(ratio.median),
        rounds,
        settings,
        details,
        table,
        notes: Vec::new(),
    })
}

/// Messages as the outbox has them.
fn made(messages: u64) -> Result<Vec<Message>> {
    (0..messages)
        .map(|n| {
            let message = Message::builder(TOPIC).key(key(n));
            Ok(message.payload(payload(n), "application/json").build()?)
        })
        .collect()
}
