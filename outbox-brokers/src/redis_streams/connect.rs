use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use outbox_core::Limits;
use redis::{Client, IntoConnectionInfo as _, RedisError};

use super::RedisStreams;
use super::link::Link;
use crate::common::{Bounds, Common};
use crate::error::BrokerError;
use crate::mapping::Mapping;
use crate::url::BrokerUrl;

/// Most characters of a prefix.
const PREFIX_MAX: usize = 100;
/// Each queue is a stream.
const BOUNDS: Bounds = Bounds {
    prefix: 1..=PREFIX_MAX,
    queues: 1_024,
};
/// The port where the URL names none.
const PORT: u16 = 6_379;
/// The largest value that a server takes unless it is told otherwise (`proto-max-bulk-len`).
const MESSAGE_BYTES_MAX: usize = 512 << 20;

/// What publishers and subscribers are told.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) prefix: String,
    pub(super) queues: u32,
    pub(super) timeout: Duration,
    pub(super) lease: Duration,
    pub(super) max_age: Duration,
    pub(super) max_length: u64,
    pub(super) window: Duration,
    pub(super) replicas: u32,
    pub(super) max_message_bytes: usize,
    pub(super) mapping: Mapping,
}

/// The names of the settings that a URL can have besides those that every engine has.
const SETTINGS: &[&str] = &[
    "lease",
    "max_age",
    "max_length",
    "max_message_bytes",
    "duplicate_window",
    "replicas",
];

/// Sets a [`RedisStreams`] up.
#[must_use = "a builder does nothing until it connects"]
pub struct RedisStreamsBuilder {
    url: BrokerUrl,
    common: Common,
    lease: Duration,
    max_age: Duration,
    max_length: u64,
    window: Duration,
    replicas: u32,
    max_message_bytes: usize,
}

impl RedisStreamsBuilder {
    /// With what the URL says.
    pub(crate) fn of_url(url: BrokerUrl) -> Result<Self, BrokerError> {
        let mut builder = Self {
            common: Common::new("outbox"),
            lease: Duration::from_secs(30),
            max_age: Duration::from_secs(7 * 86_400),
            max_length: 0,
            window: Duration::from_secs(120),
            replicas: 0,
            max_message_bytes: MESSAGE_BYTES_MAX,
            url: url.clone(),
        };
        for setting in url.settings() {
            if builder.common.take(setting)? {
                continue;
            }
            builder = match &*setting.name {
                "lease" => builder.lease(setting.duration()?),
                "max_age" => builder.max_age(setting.duration()?),
                "max_length" => builder.max_length(setting.number()?),
                "max_message_bytes" => builder.max_message_bytes(setting.number()?),
                "duplicate_window" => builder.duplicate_window(setting.duration()?),
                "replicas" => builder.replicas(setting.number()?),
                _ => return Err(Common::unknown(setting, SETTINGS)),
            };
        }
        Ok(builder)
    }

    /// What all keys begin with. Default: `outbox`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.common.prefix = prefix.into();
        self
    }

    /// How many queues a topic has, 1 to 1,024. Default: 8. All programs need the same number, and one that changes moves keys: do
    /// it while the streams are empty.
    pub fn queues_per_topic(mut self, queues: u32) -> Self {
        self.common.queues = queues;
        self
    }

    /// How long the server may take to answer. Default: 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.common.timeout = timeout;
        self
    }

    /// How long a message that was received stays its member's, by the server's clock. Default: 30 seconds; at least 100
    /// milliseconds. A handler must need less.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long a message is kept at least, whether or not every group has received it. Default: 7 days. One that a group has not
    /// finished is kept for as long as that lasts.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Most messages of a queue that are kept. A full one refuses messages, which then wait in the outbox, until some are older than
    /// [`max_age`](Self::max_age), finished or not: set that short, too. Default: 0, no limit but the server's memory.
    pub fn max_length(mut self, messages: u64) -> Self {
        self.max_length = messages;
        self
    }

    /// Most bytes of a message with its headers. Default: 512 MiB, as the server has it (`proto-max-bulk-len`).
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// How long a message that comes again under its id is dropped, at least; it may be twice as long. Default: two minutes; zero: it
    /// never is. Each message costs the server about 100 bytes for so long. The same in all programs that publish.
    pub fn duplicate_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// On how many replicas a message has to be before it counts as published (`WAIT`). Default: 0. A failover may lose what is on
    /// the master alone.
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Messages are CloudEvents 1.0, from this source (a URI or a path, such as `/orders`): their attributes are fields `ce-…`, as in
    /// the binary mode of other bindings; there is none for Redis. Default: fields of our own. Both are understood, whichever is
    /// written.
    pub fn cloudevents(mut self, source: impl Into<String>) -> Self {
        self.common.cloudevents = Some(source.into());
        self
    }

    /// These roots in PEM in place of those of the system, for `rediss://`.
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.common.tls.roots = Some(path.into());
        self
    }

    /// A certificate and its key in PEM, for servers that ask for one.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.common.tls.certificate = Some(certificate.into());
        self.common.tls.key = Some(key.into());
        self
    }

    /// Connects, and warns where the server would forget what it has acknowledged. Later the connection is made again whenever it is
    /// lost.
    ///
    /// # Errors
    /// A setting can't be, or the server can't be reached or refuses.
    pub async fn connect(self) -> Result<RedisStreams, BrokerError> {
        self.check()?;
        let link = Link::new(self.client()?, self.common.timeout);
        link.query::<()>(&redis::cmd("PING"))
            .await
            .map_err(BrokerError::server("connecting"))?;
        warn_of_forgetting(&link).await;
        Ok(RedisStreams {
            link,
            settings: Arc::new(Settings {
                mapping: self.common.mapping("ce-", false),
                prefix: self.common.prefix,
                queues: self.common.queues,
                timeout: self.common.timeout,
                lease: self.lease,
                max_age: self.max_age,
                max_length: self.max_length,
                window: self.window,
                replicas: self.replicas,
                max_message_bytes: self.max_message_bytes,
            }),
        })
    }

    fn client(&self) -> Result<Client, BrokerError> {
        let url = &self.url;
        let [host] = url.hosts() else {
            let reason = "one server holds all queues";
            return Err(BrokerError::setting("the hosts", url.hosts().join(","), reason));
        };
        let host = match host.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => host.clone(),
            _ => format!("{host}:{PORT}"),
        };
        let database = match url.path() {
            "" => 0,
            path => path.parse().map_err(|_| {
                let reason = "the path of the URL is the number of the database";
                BrokerError::setting("the database", format!("{path:?}"), reason)
            })?,
        };
        let refused = BrokerError::server("reading the URL");
        let info = format!("{}://{host}", url.scheme());
        let info = info.into_connection_info().map_err(|error| match error.kind() {
            redis::ErrorKind::InvalidClientConfig if url.scheme() == "rediss" => BrokerError::Url {
                reason: "this program was built without the feature `redis-rustls`, which `rediss://` needs"
                    .to_owned(),
            },
            _ => refused(error),
        })?;
        let mut who = info.redis_settings().clone().set_db(database);
        if let Some(password) = url.password() {
            who = who.set_password(password);
        }
        if let Some(user) = url.user().filter(|user| !user.is_empty()) {
            who = who.set_username(user);
        }
        let info = info.set_redis_settings(who);
        self.open(info).map_err(BrokerError::server("connecting"))
    }

    #[cfg(feature = "redis-rustls")]
    fn open(&self, info: redis::ConnectionInfo) -> Result<Client, RedisError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| {
                let text = format!("{}: {error}", path.display());
                RedisError::from((
                    redis::ErrorKind::InvalidClientConfig,
                    "a file can't be read",
                    text,
                ))
            })
        };
        let tls = &self.common.tls;
        let client_tls = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => Some(redis::ClientTlsConfig {
                client_cert: read(certificate)?,
                client_key: read(key)?,
            }),
            _ => None,
        };
        let root_cert = tls.roots.as_ref().map(read).transpose()?;
        match self.url.scheme() {
            "rediss" => Client::build_with_tls(
                info,
                redis::TlsCertificates {
                    client_tls,
                    root_cert,
                },
            ),
            _ => Client::open(info),
        }
    }

    #[cfg(not(feature = "redis-rustls"))]
    fn open(&self, info: redis::ConnectionInfo) -> Result<Client, RedisError> {
        Client::open(info)
    }

    fn check(&self) -> Result<(), BrokerError> {
        self.common.check(&BOUNDS)?;
        if self.lease < Duration::from_millis(100) {
            let reason = "it is at least 100 ms";
            return Err(BrokerError::setting("lease", format!("{:?}", self.lease), reason));
        }
        if self.common.tls.are_set() && self.url.scheme() != "rediss" {
            let reason = "certificates are for `rediss://`";
            return Err(BrokerError::setting("the scheme", self.url.scheme(), reason));
        }
        Ok(())
    }
}

/// A server that acknowledges what it has in memory alone makes losses of what was delivered.
async fn warn_of_forgetting(link: &Link) {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("append*");
    // Servers that others look after don't say.
    let Ok(settings) = link
        .query::<std::collections::HashMap<String, String>>(&command)
        .await
    else {
        return;
    };
    let is = |name: &str, value: &str| settings.get(name).is_none_or(|found| found == value);
    if !is("appendonly", "yes") || !is("appendfsync", "always") {
        tracing::warn!(
            appendonly = settings.get("appendonly"),
            appendfsync = settings.get("appendfsync"),
            "this Redis acknowledges messages before they are on disk: one that dies loses them, and the outbox has deleted them \
             (appendonly yes, appendfsync always)"
        );
    }
}

impl std::fmt::Debug for RedisStreamsBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStreamsBuilder")
            .field("url", &self.url)
            .field("common", &self.common)
            .finish_non_exhaustive()
    }
}

/// The limits of names hold for every engine.
const _: () = assert!(Limits::TOPIC_BYTES + PREFIX_MAX < 512);
