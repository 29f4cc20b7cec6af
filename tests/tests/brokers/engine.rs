//! A server of a test's own, as the suite sees it.

use std::collections::BTreeMap;
use std::ops::AsyncFnMut;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU32};
use std::time::{Duration, Instant};

use outbox_brokers::{Broker, Ordering};
use outbox_core::{Delivery, Message, Publisher, ReceiveError, Subscriber};
use outbox_test_harness::{
    KafkaOptions, NatsOptions, RabbitMqOptions, RedisOptions, RocketMqOptions, requirement,
};

use crate::support::SOON;

/// Where most tests publish.
pub const TOPIC: &str = "orders.placed";
/// The group of most tests.
pub const GROUP: &str = "shipping";
/// Shorter than any test's patience, and longer than a handler needs.
pub const LEASE: Duration = Duration::from_secs(2);
/// For how long a member may say nothing where nobody dies: no pause of a busy machine is taken for a death.
pub const SESSION: Duration = Duration::from_secs(15);
/// How long it is looked for what must not come: the only bounded wait. What comes later than this escapes; nothing is failed
/// wrongly.
const A_WHILE: Duration = Duration::from_millis(300);

/// Defines one test per engine. One that harms its server takes a [`Harmed`] engine.
macro_rules! on_every_engine {
    ($($(#[$meta:meta])* async fn $name:ident($engine:ident: $whose:ident) $body:block)*) => {
        $(
            $(#[$meta])*
            mod $name {
                #[allow(unused_imports, reason = "not every test needs what its file has")]
                use super::*;
                use crate::engine::Kind as EngineKind;

                async fn run($engine: Engine) $body

                async fn on(kind: EngineKind) {
                    if let Some(engine) = $whose::start(kind).await {
                        run(engine).await;
                    }
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn kafka() {
                    on(EngineKind::Kafka).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn nats() {
                    on(EngineKind::Nats).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn redis() {
                    on(EngineKind::Redis).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn rabbitmq() {
                    on(EngineKind::RabbitMq).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn rocketmq() {
                    on(EngineKind::RocketMq).await;
                }
            }
        )*
    };
}

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Kafka,
    Nats,
    Redis,
    RabbitMq,
    RocketMq,
}

/// What not every engine does.
#[derive(Debug, Clone, Copy)]
pub struct Does {
    /// A group that comes later has what is still kept.
    pub keep: bool,
    /// A message that is published again under its id is dropped.
    pub drop_repeated: bool,
    /// A delivery stays a member's for a time, whatever the connection does; otherwise as long as the connection lives.
    pub lease: bool,
    /// A topic that can't be one, and one of ours.
    pub no_topic: Option<&'static str>,
}

impl Kind {
    pub fn does(self) -> Does {
        match self {
            Self::Kafka => Does {
                keep: true,
                // The log takes what it is given; only within one producer's life is a repeated record known.
                drop_repeated: false,
                // A partition is a member's as long as it says that it lives.
                lease: false,
                // Names that it doesn't take are mapped.
                no_topic: None,
            },
            Self::Nats => Does {
                keep: true,
                drop_repeated: true,
                lease: true,
                no_topic: Some("no..where"),
            },
            Self::Redis => Does {
                keep: true,
                drop_repeated: true,
                lease: true,
                no_topic: None,
            },
            Self::RabbitMq => Does {
                // Messages are copied to the queues that are there when they come.
                keep: false,
                // It knows no message by its id.
                drop_repeated: false,
                // Whoever has the connection has the message.
                lease: false,
                no_topic: None,
            },
            Self::RocketMq => Does {
                keep: true,
                drop_repeated: false,
                lease: true,
                // Names that it doesn't take are mapped.
                no_topic: None,
            },
        }
    }
}

/// A server that a test may harm.
pub trait Server: Send {
    fn port(&self) -> u16;
    fn kill(&mut self);
    fn restart(&mut self);
    fn freeze(&self);
    fn thaw(&self);
    /// Where everything can be passed on to it, and where one has to listen for that; any port where it is `None`.
    fn way(&self) -> (u16, Option<u16>) {
        (self.port(), None)
    }
}

/// A server of the harness, all of which have the same methods, and a way of its own where it has one.
macro_rules! server {
    ($type:ty $(, $($way:tt)*)?) => {
        impl Server for $type {
            fn port(&self) -> u16 {
                <$type>::port(self)
            }
            fn kill(&mut self) {
                <$type>::kill(self).unwrap();
            }
            fn restart(&mut self) {
                <$type>::restart(self).unwrap();
            }
            fn freeze(&self) {
                <$type>::freeze(self).unwrap();
            }
            fn thaw(&self) {
                <$type>::thaw(self);
            }
            $($($way)*)?
        }
    };
}

server!(outbox_test_harness::Nats);
server!(outbox_test_harness::Redis);
server!(outbox_test_harness::RabbitMq);

/// A server that tests share, because it takes seconds to start.
struct Shared {
    port: u16,
}

impl Server for Shared {
    fn port(&self) -> u16 {
        self.port
    }
    fn kill(&mut self) {
        panic!("others use it: this test takes a `Harmed` engine");
    }
    fn restart(&mut self) {
        panic!("others use it: this test takes a `Harmed` engine");
    }
    fn freeze(&self) {
        panic!("others use it: this test takes a `Harmed` engine");
    }
    fn thaw(&self) {
        panic!("others use it: this test takes a `Harmed` engine");
    }
}

server!(
    outbox_test_harness::Kafka,
    /// Clients are told where to go on: elsewhere they would go past whoever passes on.
    fn way(&self) -> (u16, Option<u16>) {
        let (to, at) = self.second_way().unwrap();
        (to, Some(at))
    }
);

server!(
    outbox_test_harness::RocketMq,
    /// The name server says where the broker is; what goes wrong goes wrong there.
    fn way(&self) -> (u16, Option<u16>) {
        (self.broker_port(), None)
    }
);

/// A running engine, and a connection to it.
pub struct Engine {
    pub kind: Kind,
    pub server: Box<dyn Server>,
    pub broker: Arc<dyn Broker>,
    /// What tells it from others on the same server.
    pub prefix: String,
    session: Duration,
}

/// An [`Engine`] whose server this test alone has.
pub struct Harmed;

impl Harmed {
    pub async fn start(kind: Kind) -> Option<Engine> {
        Engine::on(kind, own_server(kind)?, SESSION).await
    }
}

fn own_server(kind: Kind) -> Option<Box<dyn Server>> {
    crate::support::show_logs();
    Some(match kind {
        Kind::Kafka => Box::new(requirement::private_kafka(&KafkaOptions::new().second_way())?),
        Kind::Nats => Box::new(requirement::private_nats(
            &NatsOptions::new().configuration("max_payload: 1MB"),
        )?),
        Kind::Redis => {
            let on_disk = RedisOptions::new()
                .setting("appendonly", "yes")
                .setting("appendfsync", "always");
            Box::new(requirement::private_redis(&on_disk)?)
        }
        Kind::RabbitMq => Box::new(requirement::private_rabbitmq(&RabbitMqOptions::new())?),
        Kind::RocketMq => Box::new(requirement::private_rocketmq(&RocketMqOptions::new())?),
    })
}

/// An [`Engine`] that is also reached through a proxy. Kafka tells its clients where to go on, so a server serves one proxy only.
pub struct Proxied;

impl Proxied {
    pub async fn start(kind: Kind) -> Option<Engine> {
        match kind {
            // Members that are cut off are given up soon.
            Kind::Kafka | Kind::RocketMq => Engine::on(kind, own_server(kind)?, LEASE).await,
            _ => Engine::start(kind).await,
        }
    }
}

/// The port of a URL without a path.
fn port_of(url: &str) -> u16 {
    let port = url.rsplit_once(':').unwrap().1;
    port.split_once('/')
        .map_or(port, |(port, _)| port)
        .parse()
        .unwrap()
}

/// A dead letter without its place.
#[derive(Debug)]
pub struct Dead {
    pub message: Message,
    pub attempts: u32,
    pub error: String,
}

impl Engine {
    /// A server that the test does no harm; `None` (and reported) where there is none.
    pub async fn start(kind: Kind) -> Option<Self> {
        crate::support::show_logs();
        let server: Box<dyn Server> = match kind {
            Kind::Nats | Kind::Redis => own_server(kind)?,
            Kind::Kafka => Box::new(Shared {
                port: port_of(&requirement::shared_kafka_url()?),
            }),
            Kind::RabbitMq => Box::new(Shared {
                port: port_of(&requirement::shared_rabbitmq_url()?),
            }),
            Kind::RocketMq => Box::new(Shared {
                port: port_of(&requirement::shared_rocketmq_url()?),
            }),
        };
        Self::on(kind, server, SESSION).await
    }

    async fn on(kind: Kind, server: Box<dyn Server>, session: Duration) -> Option<Self> {
        static ENGINES: AtomicU32 = AtomicU32::new(0);
        let prefix = match kind {
            Kind::Nats | Kind::Redis => "outbox".to_owned(),
            Kind::Kafka | Kind::RabbitMq | Kind::RocketMq => {
                format!("test{}", ENGINES.fetch_add(1, atomic::Ordering::Relaxed))
            }
        };
        let broker = connect(&url(kind, server.port(), &prefix, session, "")).await;
        Some(Self {
            kind,
            server,
            broker,
            prefix,
            session,
        })
    }

    pub fn does(&self) -> Does {
        self.kind.does()
    }

    /// Where it is, with more settings (`&name=value`).
    pub fn url(&self, more: &str) -> String {
        url(self.kind, self.server.port(), &self.prefix, self.session, more)
    }

    /// Where it is behind another port.
    pub fn url_at(&self, port: u16, more: &str) -> String {
        match self.kind {
            Kind::RocketMq => {
                let more = format!("&broker=127.0.0.1:{port}{more}");
                url(self.kind, self.server.port(), &self.prefix, self.session, &more)
            }
            _ => url(self.kind, port, &self.prefix, self.session, more),
        }
    }

    /// As another process has it.
    pub async fn again(&self) -> Arc<dyn Broker> {
        connect(&self.url("")).await
    }

    pub fn publisher(&self) -> Arc<dyn Publisher> {
        self.broker.publisher()
    }

    /// A member of [`GROUP`] for [`TOPIC`].
    pub async fn member(&self) -> Member {
        self.member_of(GROUP).await
    }

    pub async fn member_of(&self, group: &str) -> Member {
        Member::of(&*self.broker, group, Ordering::PerKey).await
    }

    /// Publishes what is all taken.
    pub async fn publish(&self, messages: &[Message]) {
        let publisher = self.publisher();
        for batch in messages.chunks(publisher.capabilities().max_batch) {
            for answer in publisher.publish(batch).await {
                answer.unwrap();
            }
        }
    }

    /// Publishes `text`s of a key.
    pub async fn say(&self, key: &str, texts: impl IntoIterator<Item = impl ToString>) {
        let batch: Vec<_> = texts
            .into_iter()
            .map(|text| message(key, &text.to_string()))
            .collect();
        self.publish(&batch).await;
    }

    pub async fn dead(&self, group: &str) -> Vec<Dead> {
        let letters = self
            .broker
            .dead_letters(group)
            .unwrap()
            .list(None, 1_000)
            .await
            .unwrap();
        letters
            .into_iter()
            .map(|letter| Dead {
                message: letter.message,
                attempts: letter.attempts,
                error: letter.error,
            })
            .collect()
    }

    /// Redrives all of a group, and returns how many.
    pub async fn redrive_all(&self, group: &str) -> usize {
        let dead = self.broker.dead_letters(group).unwrap();
        let letters = dead.list(None, 1_000).await.unwrap();
        for letter in &letters {
            assert!(dead.redrive(&letter.reference).await.unwrap());
            assert!(
                !dead.redrive(&letter.reference).await.unwrap(),
                "it is not there any more"
            );
        }
        letters.len()
    }
}

fn url(kind: Kind, port: u16, prefix: &str, session: Duration, more: &str) -> String {
    let (lease, session) = (LEASE.as_secs(), session.as_secs());
    match kind {
        Kind::Kafka => format!(
            "kafka://127.0.0.1:{port}?timeout=5s&session={session}s&drain={lease}s&prefix={prefix}{more}"
        ),
        Kind::Redis => {
            format!("redis://127.0.0.1:{port}?timeout=2s&lease={lease}s&max_message_bytes=1048576{more}")
        }
        Kind::Nats => format!("nats://127.0.0.1:{port}?timeout=2s&lease={lease}s&prefix={prefix}{more}"),
        Kind::RocketMq => format!(
            "rocketmq://127.0.0.1:{port}?timeout=2s&lease={lease}s&prefix={prefix}&max_message_bytes=1048576{more}"
        ),
        Kind::RabbitMq => format!(
            "amqp://127.0.0.1:{port}?timeout=2s&heartbeat={lease}s&prefix={prefix}&max_message_bytes=1048576{more}"
        ),
    }
}

pub async fn connect(url: &str) -> Arc<dyn Broker> {
    outbox_brokers::connect(url).await.unwrap()
}

/// A message of `key` whose payload is `text`.
pub fn message(key: &str, text: &str) -> Message {
    let message = Message::builder(TOPIC)
        .key(key)
        .payload(text.to_owned(), "text/plain");
    message.build().unwrap()
}

/// `per_key` messages of each of `keys` keys, taking turns.
pub fn spread(keys: usize, per_key: usize) -> Vec<Message> {
    (0..per_key)
        .flat_map(|n| (0..keys).map(move |key| message(&format!("k{key}"), &n.to_string())))
        .collect()
}

/// What a delivery was, without the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub key: String,
    pub text: String,
    pub attempt: u32,
}

impl Seen {
    pub fn of(delivery: &Delivery) -> Self {
        let message = delivery.message();
        Self {
            key: message.key().unwrap_or_default().to_owned(),
            text: String::from_utf8_lossy(message.payload()).into_owned(),
            attempt: delivery.attempt(),
        }
    }
}

/// Each key has the numbers from 0 to `per_key`, each once and in order.
pub fn assert_in_order(seen: &[Seen], keys: usize, per_key: usize) {
    let mut by_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for seen in seen {
        by_key.entry(&seen.key).or_default().push(&seen.text);
    }
    assert_eq!(by_key.len(), keys, "{:?}", by_key.keys());
    let expected: Vec<String> = (0..per_key).map(|n| n.to_string()).collect();
    for (key, texts) in by_key {
        assert_eq!(texts, expected, "of key {key}");
    }
}

/// A member of a group.
pub struct Member(pub Box<dyn Subscriber>);

impl Member {
    /// A member of a group for [`TOPIC`].
    pub async fn of(broker: &dyn Broker, group: &str, ordering: Ordering) -> Self {
        Self(broker.subscribe(group, &[TOPIC], ordering).await.unwrap())
    }

    /// The next deliveries, waiting for an engine that is away.
    pub async fn next(&mut self, max: usize) -> Vec<Delivery> {
        let begun = Instant::now();
        loop {
            let received = tokio::time::timeout(SOON, self.0.receive(max)).await;
            match received.expect("nothing came") {
                Ok(deliveries) if !deliveries.is_empty() => return deliveries,
                Ok(_) => {}
                Err(ReceiveError::Unavailable { .. }) => assert!(begun.elapsed() < SOON, "it stayed away"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub async fn one(&mut self) -> Delivery {
        self.next(1).await.remove(0)
    }

    /// Acknowledges so many messages.
    pub async fn handle(&mut self, count: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        while seen.len() < count {
            for delivery in self.next(count - seen.len()).await {
                seen.push(Seen::of(&delivery));
                delivery.ack().await.unwrap();
            }
        }
        seen
    }

    /// Nothing comes for a while.
    pub async fn gets_nothing(&mut self) {
        if let Ok(received) = tokio::time::timeout(A_WHILE, self.0.receive(10)).await {
            panic!("{received:?} came");
        }
    }
}

/// Polls until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < SOON, "not within {SOON:?}: {what}");
        // A server tells nobody outside when it changes.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A way to a server whose answers can be lost: what clients say arrives, what it says does not.
pub struct Deaf {
    port: u16,
    lose: tokio::sync::watch::Sender<bool>,
    cut: tokio_util::sync::CancellationToken,
}

impl Deaf {
    pub async fn start(server: &dyn Server) -> Self {
        let (server, at) = server.way();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", at.unwrap_or(0)));
        let listener = listener.await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (lose, loses) = tokio::sync::watch::channel(false);
        let cut = tokio_util::sync::CancellationToken::new();
        let is_cut = cut.clone();
        let accept = async move {
            while let Ok((client, _)) = listener.accept().await {
                let (loses, is_cut) = (loses.clone(), is_cut.clone());
                tokio::spawn(async move {
                    // A server that is away takes none.
                    if let Ok(server) = tokio::net::TcpStream::connect(("127.0.0.1", server)).await {
                        is_cut.run_until_cancelled(pipe(client, server, loses)).await;
                    }
                });
            }
        };
        let until = cut.clone();
        tokio::spawn(async move { until.run_until_cancelled(accept).await });
        Self { port, lose, cut }
    }

    /// Ends all connections, and takes no more.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, or no longer; then connections that lost something end, as their ends would notice some time.
    pub fn lose_answers(&self, lose: bool) {
        self.lose.send_replace(lose);
    }
}

async fn pipe(
    client: tokio::net::TcpStream,
    server: tokio::net::TcpStream,
    mut lose: tokio::sync::watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forth = tokio::io::copy(&mut from_client, &mut to_server);
    let back = async {
        let mut lost = false;
        let mut buffer = vec![0; 64 << 10];
        loop {
            tokio::select! {
                read = from_server.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) if *lose.borrow() => lost = true,
                    Ok(bytes) => {
                        if lost || to_client.write_all(&buffer[..bytes]).await.is_err() {
                            return;
                        }
                    }
                },
                changed = lose.changed() => {
                    if changed.is_err() || (lost && !*lose.borrow()) {
                        return;
                    }
                }
            }
        }
    };
    tokio::select! {
        _ = forth => {}
        () = back => {}
    }
}
