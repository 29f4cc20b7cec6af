//! `broker`: how fast the relay delivers to a message broker.
//!
//! A private broker on this machine. The floor is the broker's own client ([`crate::floor::broker`]), which sends messages that it
//! has in memory, with as many under way as our publisher lets out (`Capabilities`). Ours is the relay: it reads the same
//! number of messages from the outbox, publishes them with the adapter, and deletes them; timed from the moment it is
//! connected to the end of the DELETE of the last one. Between them stands the client behind the shortest loop that reads and
//! deletes: it is no floor, but what of the difference the database takes, where all share the same cores. They take turns on the
//! same broker, which keeps what it got.
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
use crate::cores::Cores;
use crate::database::{Engine, Kind, Server};
use crate::floor::broker::{self, Client};
use crate::progress::Progress;
use crate::relay::Running;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median, ratios};

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

/// Who delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Client,
    Loop,
    Relay,
}

impl Side {
    const ALL: [Self; 3] = [Self::Client, Self::Loop, Self::Relay];

    fn as_str(self) -> &'static str {
        match self {
            Self::Client => "the client",
            Self::Loop => "a loop by hand around it",
            Self::Relay => "the relay",
        }
    }

    /// In the report for programs.
    fn key(self) -> &'static str {
        match self {
            Self::Client => "floor",
            Self::Loop => "by_hand",
            Self::Relay => "ours",
        }
    }
}

/// What was measured of one side, round by round.
struct Measured {
    side: Side,
    rates: Vec<f64>,
    cores: Vec<f64>,
}

impl Measured {
    fn of(side: Side) -> Self {
        Self {
            side,
            rates: Vec::new(),
            cores: Vec::new(),
        }
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
                .setting("appendfsync", "always")
                // It would rewrite its file in the midst of a round, sometimes.
                .setting("auto-aof-rewrite-percentage", "0");
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
    let progress = Progress::new(rounds as u64 * 3);
    let mut sides = Side::ALL.map(Measured::of);
    for round in 0..rounds {
        // Who begins changes.
        sides.rotate_left(1);
        for measured in &mut sides {
            let says = |what: &str| progress.says(format!("round {} of {rounds}: {what}", round + 1));
            says("loading");
            let client = Arc::clone(&private.client);
            let in_memory = match measured.side {
                Side::Client => Arc::new(made(messages)?),
                Side::Loop | Side::Relay => {
                    E::empty(&pool).await?;
                    E::load(&pool, messages, messages).await?;
                    E::settle_down(&pool).await?;
                    Arc::default()
                }
            };
            says(measured.side.as_str());
            let before = Cores::now()?;
            let took = match measured.side {
                Side::Client => broker::publish_all(client, &in_memory, window).await?,
                Side::Loop => broker::relay_all(client, &database, messages, window).await?,
                Side::Relay => {
                    let mut relay = Running::start_to(&database, private.broker.publisher()).await?;
                    relay.settled(messages).await?;
                    let took = relay.meter.settled_at() - relay.meter.opened_at();
                    let delivered = relay.stop().await?.delivered;
                    ensure!(delivered == messages, "{delivered} of {messages} were delivered");
                    took
                }
            };
            measured.cores.push(Cores::now()?.busy_since(before));
            measured.rates.push(messages as f64 / took.as_secs_f64());
            progress.step();
        }
    }
    drop(progress);
    sides.sort_unstable_by_key(|measured| measured.side);
    let [client, by_hand, relay] = &sides;
    if E::pending(&pool).await? != 0 {
        bail!("something was left in the outbox");
    }
    pool.close().await;
    let ratio = Interval::of(&ratios(&relay.rates, &client.rates));
    let ratio_by_hand = Interval::of(&ratios(&relay.rates, &by_hand.rates));
    let (floor, ours) = (Spread::of(&client.rates), Spread::of(&relay.rates));
    let mut table = Table::new(["", "messages/s", "lowest – highest", "cores busy"]);
    for measured in &sides {
        let spread = Spread::of(&measured.rates);
        let range = pretty_range(spread.low, spread.high);
        let cores = format!("{:.1}", median(&measured.cores));
        table.row([measured.side.as_str(), &pretty(spread.median), &range, &cores]);
    }
    for (name, ratio) in [
        (format!("ratio (target ≥ {TARGET})"), ratio),
        ("relay by the loop by hand".to_owned(), ratio_by_hand),
    ] {
        table.row([
            name,
            pretty(ratio.median),
            pretty_range(ratio.low, ratio.high),
            String::new(),
        ]);
    }
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
    details.insert("by_hand_spread".into(), Spread::of(&by_hand.rates).into());
    details.insert("by_hand_ratio_interval".into(), ratio_by_hand.into());
    for measured in &sides {
        let name = format!("cores_busy_{}", measured.side.key());
        details.insert(name, number(median(&measured.cores)));
    }
    Ok(Report {
        scenario: "broker",
        database: common.database.to_string(),
        unit: "messages/s",
        measured: format!(
            "{} messages to {} ({}), in batches of {} with {} at a time: by its client from memory, by a loop by hand that reads \
             and deletes around it, and by the relay from the outbox.",
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
