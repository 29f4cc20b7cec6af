use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::auth::Credentials;
use super::cluster::Cluster;
use super::link::Manner;
use super::tls::Tls;
use super::{RocketMq, names};
use crate::common::{Bounds, Common};
use crate::error::BrokerError;
use crate::mapping::Mapping;
use crate::url::BrokerUrl;

/// Of a name server.
const PORT: u16 = 9876;
const BOUNDS: Bounds = Bounds {
    prefix: 0..=names::PREFIX_MAX,
    queues: 1_024,
};
/// What RocketMQ takes in one message unless it is set otherwise (`maxMessageSize`), without room for the rest of it.
const MESSAGE_BYTES: usize = (4 << 20) - (64 << 10);

/// What publishers and subscribers are told.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) prefix: String,
    pub(super) queues: u32,
    pub(super) timeout: Duration,
    pub(super) lease: Duration,
    pub(super) create: bool,
    pub(super) max_message_bytes: usize,
    pub(super) mapping: Mapping,
}

/// The names of the settings that a URL can have besides those that every engine has.
const SETTINGS: &[&str] = &["lease", "create", "max_message_bytes", "broker", "tls"];

/// Sets a [`RocketMq`] up.
#[must_use = "a builder does nothing until it connects"]
pub struct RocketMqBuilder {
    name_servers: Vec<String>,
    credentials: Option<Credentials>,
    common: Common,
    lease: Duration,
    create: bool,
    max_message_bytes: usize,
    broker: Option<String>,
    tls: bool,
}

impl RocketMqBuilder {
    /// With what the URL says.
    pub(crate) fn of_url(url: BrokerUrl) -> Result<Self, BrokerError> {
        url.without_path()?;
        let credentials = match (url.user(), url.password()) {
            (None, _) => None,
            (Some(user), Some(password)) => Some(Credentials {
                access_key: user.to_owned(),
                secret_key: password.to_owned(),
            }),
            (Some(_), None) => {
                let reason = "an access key and its secret go together (`rocketmq://key:secret@…`)";
                return Err(BrokerError::setting("the user", "without a password", reason));
            }
        };
        let mut builder = Self {
            name_servers: url.hosts_at(PORT),
            credentials,
            common: Common::new(""),
            lease: Duration::from_secs(30),
            create: true,
            max_message_bytes: MESSAGE_BYTES,
            broker: None,
            tls: false,
        };
        for setting in url.settings() {
            if builder.common.take(setting)? {
                continue;
            }
            builder = match &*setting.name {
                "lease" => builder.lease(setting.duration()?),
                "create" => builder.create_topics(setting.yes()?),
                "max_message_bytes" => builder.max_message_bytes(setting.number()?),
                "broker" => builder.broker_address(&setting.value),
                "tls" => Self {
                    tls: setting.yes()?,
                    ..builder
                },
                _ => return Err(Common::unknown(setting, SETTINGS)),
            };
        }
        Ok(builder)
    }

    /// What topics and groups begin with, and a hyphen; of one with more than 24 characters there is a digest. Default: nothing.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.common.prefix = prefix.into();
        self
    }

    /// How many queues a topic gets on each broker when it is made, 1 to 1,024. Default: 8. A topic that is there keeps those that it
    /// has. One that gets more moves keys: do it while it is empty.
    pub fn queues_per_topic(mut self, queues: u32) -> Self {
        self.common.queues = queues;
        self
    }

    /// How long a server may take to answer. Default: 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.common.timeout = timeout;
        self
    }

    /// How long a message that was received stays its member's. Default: 30 seconds; at least 1 second. A handler must need less. For
    /// the broker (POP's `invisibleTime`) it is a quarter longer, 10 seconds at most: so long a question of the member may have waited there.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Whether topics are made that are not there, and groups made and set. Default: true. Otherwise it is an error that a topic is
    /// not there, and a group needs `consumeMessageOrderly` where its order counts.
    pub fn create_topics(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Messages are CloudEvents 1.0, from this source (a URI or a path, such as `/orders`): their attributes are properties
    /// `ce_…`. Default: properties of our own. Both are understood, whichever is written.
    pub fn cloudevents(mut self, source: impl Into<String>) -> Self {
        self.common.cloudevents = Some(source.into());
        self
    }

    /// The most bytes of a message and of the messages that are sent together, headers and all. Default: 4 MiB without 64 KiB, which
    /// fits into the server's own (`maxMessageSize`, 4 MiB). A larger message is refused on this side. What others have compressed is
    /// read up to four times as many.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// The address of the one broker that there is (`host:port`), where what the name server says of it leads nowhere from here: a broker
    /// in a container, or behind a forwarded port. Default: what the name server says.
    pub fn broker_address(mut self, address: impl Into<String>) -> Self {
        self.broker = Some(address.into());
        self
    }

    /// TLS, with these roots in PEM instead of those of the system. A certificate has to be for the address at which a server is reached,
    /// and brokers are known by their IP address unless their `brokerIP1` is a name.
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.common.tls.roots = Some(path.into());
        self
    }

    /// TLS, with a certificate and its key in PEM, for servers that ask for one (`tls.server.need.client.auth`).
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.common.tls.certificate = Some(certificate.into());
        self.common.tls.key = Some(key.into());
        self
    }

    /// Connects. Later connections come back by themselves when somebody needs them.
    ///
    /// # Errors
    /// A setting can't be, a file can't be read, or no name server can be reached, or it knows no broker.
    pub async fn connect(self) -> Result<RocketMq, BrokerError> {
        self.check()?;
        // Files for it ask for it, too.
        let tls = match self.tls || self.common.tls.are_set() {
            true => Some(Tls::new(&self.common.tls).await?),
            false => None,
        };
        let manner = Manner {
            credentials: self.credentials,
            tls,
            timeout: self.common.timeout,
        };
        let cluster = Cluster::new(&self.name_servers, manner, self.broker);
        cluster.masters().await?;
        let settings = Settings {
            // CloudEvents has no binding to RocketMQ; this is what Kafka's says.
            mapping: self.common.mapping("ce_", false),
            prefix: self.common.prefix,
            queues: self.common.queues,
            timeout: self.common.timeout,
            lease: self.lease,
            create: self.create,
            max_message_bytes: self.max_message_bytes,
        };
        Ok(RocketMq {
            cluster: Arc::new(cluster),
            settings: Arc::new(settings),
        })
    }

    fn check(&self) -> Result<(), BrokerError> {
        self.common.check(&BOUNDS)?;
        if self.lease < Duration::from_secs(1) {
            let lease = format!("{:?}", self.lease);
            return Err(BrokerError::setting("lease", lease, "it is at least 1 s"));
        }
        Ok(())
    }
}

/// Without the secret.
impl std::fmt::Debug for RocketMqBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocketMqBuilder")
            .field("name_servers", &self.name_servers)
            .field("common", &self.common)
            .finish_non_exhaustive()
    }
}
