use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};

use super::RabbitMq;
use super::confirm::Confirmer;
use super::link::Link;
use super::properties::ATTRIBUTE;
use crate::common::{Bounds, Common};
use crate::error::BrokerError;
use crate::mapping::Mapping;
use crate::url::BrokerUrl;

/// Each queue is a quorum queue of each group on the server.
const BOUNDS: Bounds = Bounds {
    prefix: 1..=100,
    queues: 1_024,
};
/// The user and the password that every server has at first, for connections from its own machine.
const GUEST: &str = "guest";
/// The virtual host that every server has at first.
const VHOST: &str = "/";
/// The largest message that a server takes unless it is told otherwise.
const MESSAGE_BYTES: usize = 128 << 20;
/// The ports of `amqp://` and `amqps://`.
const PORTS: (u16, u16) = (5672, 5671);

/// What publishers and subscribers are told.
pub(super) struct Settings {
    pub(super) hosts: Vec<(String, u16)>,
    pub(super) tls: bool,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) vhost: String,
    /// Certificates in PEM.
    roots: Option<String>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    /// Seconds.
    pub(super) heartbeat: u16,
    pub(super) timeout: Duration,
    pub(super) prefix: String,
    pub(super) queues: u32,
    pub(super) declare: bool,
    pub(super) max_message_bytes: usize,
    pub(super) max_queue_bytes: Option<u64>,
    pub(super) replicas: Option<u32>,
    pub(super) mapping: Mapping,
}

impl Settings {
    pub(super) fn tls_config(&self) -> OwnedTLSConfig {
        OwnedTLSConfig {
            identity: self
                .identity
                .clone()
                .map(|(pem, key)| OwnedIdentity::PKCS8 { pem, key }),
            cert_chain: self.roots.clone(),
        }
    }
}

/// The names of the settings that a URL can have besides those that every engine has.
const SETTINGS: &[&str] = &[
    "heartbeat",
    "create",
    "max_message_bytes",
    "max_queue_bytes",
    "replicas",
];

/// Sets a [`RabbitMq`] up.
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct RabbitMqBuilder {
    hosts: Vec<(String, u16)>,
    tls: bool,
    user: String,
    password: String,
    vhost: String,
    common: Common,
    heartbeat: Duration,
    declare: bool,
    max_message_bytes: usize,
    max_queue_bytes: Option<u64>,
    replicas: Option<u32>,
}

impl RabbitMqBuilder {
    /// With what the URL says.
    pub(crate) fn of_url(url: BrokerUrl) -> Result<Self, BrokerError> {
        let tls = url.scheme() == "amqps";
        let port = if tls { PORTS.1 } else { PORTS.0 };
        let vhost = match url.path() {
            "" => VHOST,
            path => path,
        };
        let mut builder = Self {
            hosts: url.hosts().iter().map(|host| host_and_port(host, port)).collect(),
            tls,
            user: url.user().unwrap_or(GUEST).to_owned(),
            password: url.password().unwrap_or(GUEST).to_owned(),
            vhost: vhost.to_owned(),
            common: Common::new("outbox"),
            heartbeat: Duration::from_secs(10),
            declare: true,
            max_message_bytes: MESSAGE_BYTES,
            max_queue_bytes: None,
            replicas: None,
        };
        for setting in url.settings() {
            if builder.common.take(setting)? {
                continue;
            }
            builder = match &*setting.name {
                "heartbeat" => builder.heartbeat(setting.duration()?),
                "create" => builder.declare(setting.yes()?),
                "max_message_bytes" => builder.max_message_bytes(setting.number()?),
                "max_queue_bytes" => builder.max_queue_bytes(setting.number()?),
                "replicas" => builder.replicas(setting.number()?),
                _ => return Err(Common::unknown(setting, SETTINGS)),
            };
        }
        Ok(builder)
    }

    /// The first words of the names of all exchanges and queues. Default: `outbox`. Two that share a server need different ones,
    /// neither of them the beginning of the other.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.common.prefix = prefix.into();
        self
    }

    /// How many queues a topic has, 1 to 1,024. Default: 8. All programs need the same number, and one that changes moves keys: do
    /// it while the queues are empty.
    pub fn queues_per_topic(mut self, queues: u32) -> Self {
        self.common.queues = queues;
        self
    }

    /// How long the server may take to answer. Default: 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.common.timeout = timeout;
        self
    }

    /// After how long without a sign of life each side takes the other one for dead, in whole seconds, 1 to 65,535. Default: 10
    /// seconds. The messages of a member that hangs or was cut off are others' after up to twice this time.
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Whether exchanges and queues are made that are not there. Default: true. Otherwise it is an error that they are not; those that
    /// delayed messages wait in are made in any case. One that is there with other arguments is an error too, and never changed.
    pub fn declare(mut self, declare: bool) -> Self {
        self.declare = declare;
        self
    }

    /// Messages are CloudEvents 1.0 in binary mode, from this source (a URI or a path, such as `/orders`): their attributes are
    /// headers `cloudEvents:…`. Default: headers of our own. Both are understood, whichever is written.
    pub fn cloudevents(mut self, source: impl Into<String>) -> Self {
        self.common.cloudevents = Some(source.into());
        self
    }

    /// The largest payload, in bytes. Default: 128 MiB, as the server's own (`max_message_size`, 16 MiB from version 4 on). A larger one is
    /// refused on this side; the server would end the channel, and with it what else is on its way.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// The most that a queue of a group holds, in bytes of payload; what is above is refused. Default: no limit. A queue that is there
    /// with another limit is an error.
    pub fn max_queue_bytes(mut self, bytes: u64) -> Self {
        self.max_queue_bytes = Some(bytes);
        self
    }

    /// On how many nodes of a cluster each queue is kept, at least 1 (`x-quorum-initial-group-size`). Default: the server's own, three or as many as
    /// there are. A queue that is there with another number is an error.
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// These roots in PEM beside those of the system, for `amqps://`.
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

    /// Connects. Later the connection comes back whenever it is lost and somebody needs it.
    ///
    /// # Errors
    /// A setting can't be, a file can't be read, or the server can't be reached or refuses.
    pub async fn connect(self) -> Result<RabbitMq, BrokerError> {
        let heartbeat = self.check()?;
        let tls = &self.common.tls;
        let roots = match &tls.roots {
            Some(path) => {
                let roots = tokio::fs::read_to_string(path).await;
                Some(roots.map_err(BrokerError::server("reading the root certificates"))?)
            }
            None => None,
        };
        let identity = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => {
                let read = async |path: &PathBuf| tokio::fs::read(path).await;
                let pair = tokio::try_join!(read(certificate), read(key));
                Some(pair.map_err(BrokerError::server("reading the client's certificate"))?)
            }
            _ => None,
        };
        let settings = Arc::new(Settings {
            hosts: self.hosts,
            tls: self.tls,
            user: self.user,
            password: self.password,
            vhost: self.vhost,
            roots,
            identity,
            heartbeat,
            mapping: self.common.mapping(ATTRIBUTE, false),
            timeout: self.common.timeout,
            prefix: self.common.prefix,
            queues: self.common.queues,
            declare: self.declare,
            max_message_bytes: self.max_message_bytes,
            max_queue_bytes: self.max_queue_bytes,
            replicas: self.replicas,
        });
        // Apart, because a server that is short of memory stops to read from whoever publishes, acks and all.
        let publishing = Link::new(Arc::clone(&settings), "publishing");
        let consuming = Link::new(Arc::clone(&settings), "consuming");
        publishing.channel().await?;
        Ok(RabbitMq {
            confirmer: Arc::new(Confirmer::new(Arc::clone(&settings), publishing)),
            consuming: Arc::new(consuming),
            settings,
        })
    }

    /// Seconds of the heartbeat.
    fn check(&self) -> Result<u16, BrokerError> {
        self.common.check(&BOUNDS)?;
        if self.replicas == Some(0) {
            return Err(BrokerError::setting("replicas", 0, "it is at least 1"));
        }
        if !self.tls && self.common.tls.are_set() {
            let reason = "without TLS it would not be used: the URL begins with `amqps://`";
            return Err(BrokerError::setting("a certificate", "set", reason));
        }
        match u16::try_from(self.heartbeat.as_secs()) {
            Ok(seconds) if seconds > 0 && self.heartbeat.subsec_nanos() == 0 => Ok(seconds),
            _ => {
                let reason = "it is whole seconds, 1 to 65,535";
                Err(BrokerError::setting(
                    "heartbeat",
                    format!("{:?}", self.heartbeat),
                    reason,
                ))
            }
        }
    }
}

/// Without a user and a password.
impl fmt::Debug for RabbitMqBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqBuilder")
            .field("hosts", &self.hosts)
            .field("vhost", &self.vhost)
            .field("common", &self.common)
            .finish_non_exhaustive()
    }
}

/// An address of version 6 without its brackets, as the system has it.
fn host_and_port(host: &str, default: u16) -> (String, u16) {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().unwrap_or(default)),
        _ => (host, default),
    };
    let name = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    (name.to_owned(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port() {
        for (given, host, port) in [
            ("rabbit", "rabbit", 5672),
            ("rabbit:1", "rabbit", 1),
            ("[::1]", "::1", 5672),
            ("[::1]:1", "::1", 1),
        ] {
            assert_eq!(host_and_port(given, 5672), (host.to_owned(), port));
        }
    }
}
