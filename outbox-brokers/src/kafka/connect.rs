use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;

use super::client::{Complaint, with};
use super::producer::Sender;
use super::topics::{Known, server};
use super::{Kafka, names};
use crate::common::{Bounds, Common};
use crate::error::BrokerError;
use crate::mapping::Mapping;
use crate::url::BrokerUrl;

/// Without a prefix topics are called there as they are here.
const BOUNDS: Bounds = Bounds {
    prefix: 0..=names::PREFIX_MAX,
    queues: 10_000,
};
/// The default port.
const PORT: u16 = 9092;

/// What publishers and subscribers are told.
pub(super) struct Settings {
    pub(super) prefix: String,
    pub(super) queues: u32,
    pub(super) replication: i32,
    pub(super) min_in_sync: u32,
    pub(super) create: bool,
    pub(super) timeout: Duration,
    pub(super) session: Duration,
    pub(super) drain: Duration,
    pub(super) mapping: Mapping,
    /// What all clients have in common. It holds secrets.
    pub(super) client: ClientConfig,
    pub(super) known: Known,
    pub(super) complaint: Complaint,
}

/// The names of the settings that a URL can have besides those that every engine has.
const SETTINGS: &[&str] = &[
    "session",
    "drain",
    "create",
    "replication",
    "min_in_sync",
    "compression",
    "sasl",
    "tls",
    "and properties of librdkafka, which have a dot",
];

/// Properties that others of ours depend on: where and who is said otherwise, and the rest would lose or reorder messages.
const NOT_YOURS: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "client.id",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.protocol",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.poll.interval.ms",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "partitioner",
    "request.required.acks",
    "retries",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "transactional.id",
];

/// How a user and password are proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sasl {
    /// They are sent as they are.
    #[default]
    Plain,
    /// SCRAM with SHA-256. Needs OpenSSL in librdkafka: have
    /// `rdkafka` with its feature `ssl` or `ssl-vendored` among your program's dependencies.
    ScramSha256,
    /// SCRAM with SHA-512. Needs OpenSSL in librdkafka: have
    /// `rdkafka` with its feature `ssl` or `ssl-vendored` among your program's dependencies.
    ScramSha512,
}

impl Sasl {
    fn mechanism(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Sets a [`Kafka`] up.
#[must_use = "a builder does nothing until it connects"]
pub struct KafkaBuilder {
    servers: Vec<String>,
    user: Option<(String, String)>,
    sasl: Sasl,
    tls: bool,
    common: Common,
    replication: u32,
    min_in_sync: u32,
    create: bool,
    session: Duration,
    drain: Duration,
    properties: Vec<(String, String)>,
}

impl KafkaBuilder {
    fn new(servers: Vec<String>) -> Self {
        Self {
            servers,
            user: None,
            sasl: Sasl::default(),
            tls: false,
            common: Common::new(""),
            replication: 1,
            min_in_sync: 1,
            create: true,
            session: Duration::from_secs(10),
            drain: Duration::from_secs(30),
            properties: Vec::new(),
        }
    }

    /// With what the URL says.
    pub(crate) fn of_url(url: BrokerUrl) -> Result<Self, BrokerError> {
        url.without_path()?;
        let mut builder = Self::new(url.hosts_at(PORT));
        if let Some(user) = url.user() {
            builder = builder.user(user, url.password().unwrap_or_default());
        }
        for setting in url.settings() {
            if builder.common.take(setting)? {
                continue;
            }
            builder = match &*setting.name {
                "session" => builder.session(setting.duration()?),
                "drain" => builder.drain(setting.duration()?),
                "create" => builder.create_topics(setting.yes()?),
                "replication" => builder.replication(setting.number()?),
                "min_in_sync" => builder.min_in_sync(setting.number()?),
                "compression" => builder.compression(&setting.value),
                "sasl" => builder.sasl(match &*setting.value {
                    "plain" => Sasl::Plain,
                    "scram-sha-256" => Sasl::ScramSha256,
                    "scram-sha-512" => Sasl::ScramSha512,
                    other => {
                        let reason = "it is plain, scram-sha-256 or scram-sha-512";
                        return Err(BrokerError::setting("sasl", format!("{other:?}"), reason));
                    }
                }),
                "tls" => Self {
                    tls: setting.yes()?,
                    ..builder
                },
                name if name.contains('.') => builder.property(name, &setting.value),
                _ => return Err(Common::unknown(setting, SETTINGS)),
            };
        }
        Ok(builder)
    }

    /// The first words of all topics and groups. Default: none, so that a topic is called there as it is here.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.common.prefix = prefix.into();
        self
    }

    /// How many queues (partitions) a topic gets that is made, 1 to 10,000. Default: 8. Topics that are there keep theirs. A group that
    /// keeps its order handles at most so many messages of a topic at once.
    pub fn queues_per_topic(mut self, queues: u32) -> Self {
        self.common.queues = queues;
        self
    }

    /// On how many servers a topic is that is made. Default: 1; 3 is what survives the loss of one.
    pub fn replication(mut self, servers: u32) -> Self {
        self.replication = servers;
        self
    }

    /// How many of them must have a message before it counts as published (`min.insync.replicas`), of topics that are made. Default:
    /// 1; 2 with 3 replicas.
    pub fn min_in_sync(mut self, servers: u32) -> Self {
        self.min_in_sync = servers;
        self
    }

    /// Whether topics are made that are not there. Default: true. Otherwise it is an error that they are not, which names them. A topic
    /// that is there is never changed.
    pub fn create_topics(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// How long the servers may take to answer. Default: 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.common.timeout = timeout;
        self
    }

    /// How long a member that says nothing is taken to be alive: so long nobody gets its queues when it dies or freezes. Default: 10
    /// seconds; servers refuse less than 6 unless they are told otherwise.
    pub fn session(mut self, session: Duration) -> Self {
        self.session = session;
        self
    }

    /// How long a member that has to give a queue up waits for the messages of it that are in hand. Default: 30 seconds. A handler must
    /// need less: what takes longer is handled by somebody else as well.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// Messages are CloudEvents 1.0 in binary mode, from this source (a URI or a path, such as `/orders`): their attributes are
    /// headers `ce_…`. Default: headers of our own. Both are understood, whichever is written.
    pub fn cloudevents(mut self, source: impl Into<String>) -> Self {
        self.common.cloudevents = Some(source.into());
        self
    }

    /// How batches are compressed: `none`, `gzip`, `snappy` or `lz4`. Default: `none`.
    pub fn compression(self, codec: &str) -> Self {
        self.property("compression.codec", codec)
    }

    /// Who this is (SASL). Default: nobody.
    pub fn user(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((user.into(), password.into()));
        self
    }

    /// How the user and password are proven. Default: [`Sasl::Plain`].
    pub fn sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = sasl;
        self
    }

    /// TLS, with these roots in PEM instead of those of the system. Needs OpenSSL in librdkafka: have
    /// `rdkafka` with its feature `ssl` or `ssl-vendored` among your program's dependencies.
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.common.tls.roots = Some(path.into());
        self
    }

    /// A certificate and its key in PEM, for servers that ask for one. Needs OpenSSL in librdkafka: have
    /// `rdkafka` with its feature `ssl` or `ssl-vendored` among your program's dependencies.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.common.tls.certificate = Some(certificate.into());
        self.common.tls.key = Some(key.into());
        self
    }

    /// A property of librdkafka, the client underneath, for publishers and subscribers alike. What would lose or reorder messages, or
    /// is said otherwise, is refused.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Connects. Later the connection comes back by itself, whenever it is lost.
    ///
    /// # Errors
    /// A setting can't be, or the servers can't be reached or refuse.
    pub async fn connect(self) -> Result<Kafka, BrokerError> {
        self.check()?;
        let client = self.client();
        let settings = Arc::new(Settings {
            mapping: self.common.mapping("ce_", false),
            prefix: self.common.prefix,
            queues: self.common.queues,
            replication: i32::try_from(self.replication).unwrap_or(i32::MAX),
            min_in_sync: self.min_in_sync,
            create: self.create,
            timeout: self.common.timeout,
            session: self.session,
            drain: self.drain,
            client,
            known: Known::default(),
            complaint: Complaint::default(),
        });
        let sender = Arc::new(Sender::new(Arc::clone(&settings))?);
        sender
            .look()
            .await
            .map_err(|error| server("connecting", settings.complaint.explain(&error), error))?;
        Ok(Kafka { settings, sender })
    }

    /// What all clients have in common.
    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        let file = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let protocol = match (self.has_tls(), &self.user) {
            (false, None) => "plaintext",
            (false, Some(_)) => "sasl_plaintext",
            (true, None) => "ssl",
            (true, Some(_)) => "sasl_ssl",
        };
        let mut properties = vec![
            ("bootstrap.servers", self.servers.join(",")),
            ("client.id", "outbox".to_owned()),
            ("security.protocol", protocol.to_owned()),
            ("socket.keepalive.enable", "true".to_owned()),
            ("reconnect.backoff.ms", "50".to_owned()),
            ("reconnect.backoff.max.ms", "1000".to_owned()),
        ];
        if let Some((user, password)) = &self.user {
            properties.push(("sasl.mechanism", self.sasl.mechanism().to_owned()));
            properties.push(("sasl.username", user.clone()));
            properties.push(("sasl.password", password.clone()));
        }
        let files = [
            ("ssl.ca.location", file(&self.common.tls.roots)),
            ("ssl.certificate.location", file(&self.common.tls.certificate)),
            ("ssl.key.location", file(&self.common.tls.key)),
        ];
        properties.extend(files.into_iter().filter_map(|(name, file)| Some((name, file?))));
        with(&client, &properties)
    }

    /// Files for it ask for it, too.
    fn has_tls(&self) -> bool {
        self.tls || self.common.tls.are_set()
    }

    fn check(&self) -> Result<(), BrokerError> {
        self.common.check(&BOUNDS)?;
        if self.replication == 0 || self.min_in_sync == 0 || self.min_in_sync > self.replication {
            let reason = "it is 1 to the number of replicas, of which there is at least one";
            return Err(BrokerError::setting("min_in_sync", self.min_in_sync, reason));
        }
        for (setting, duration) in [("timeout", self.common.timeout), ("session", self.session)] {
            if duration < Duration::from_millis(100) || duration > Duration::from_secs(3_600) {
                let value = format!("{duration:?}");
                return Err(BrokerError::setting(setting, value, "it is 100 ms to an hour"));
            }
        }
        if self.drain > Duration::from_secs(3_600) {
            return Err(BrokerError::setting(
                "drain",
                format!("{:?}", self.drain),
                "it is at most an hour",
            ));
        }
        let secured = self.has_tls() || (self.user.is_some() && self.sasl != Sasl::Plain);
        if secured && !knows_ssl() {
            let reason = "librdkafka was built without it: have `rdkafka` with its feature `ssl` or `ssl-vendored` among your \
                          program's dependencies";
            return Err(BrokerError::setting("TLS or SCRAM", "used", reason));
        }
        for (name, value) in &self.properties {
            if NOT_YOURS.contains(&&**name) {
                let reason = format!("the property {name} is not to be changed");
                return Err(BrokerError::setting("property", format!("{value:?}"), reason));
            }
            // Its name alone is said: some values are secrets.
            let mut config = ClientConfig::new();
            config.set(name, value);
            if config.create_native_config().is_err() {
                let reason = format!("librdkafka has no property {name} that can be so");
                return Err(BrokerError::setting("property", format!("{name:?}"), reason));
            }
        }
        Ok(())
    }
}

/// Whether the client in C was built with OpenSSL: a program that wants it asks `rdkafka` for it.
fn knows_ssl() -> bool {
    let config = ClientConfig::new().create_native_config();
    let features = config.and_then(|config| config.get("builtin.features"));
    features.is_ok_and(|features| features.split(',').any(|feature| feature.trim() == "ssl"))
}

/// Without secrets.
impl std::fmt::Debug for KafkaBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaBuilder")
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
