use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::{ConnectOptions, Event};
use outbox_core::Limits;
use tokio::sync::watch;

use super::stream::{self, StreamOptions};
use super::{Nats, names};
use crate::common::{Bounds, Common};
use crate::error::BrokerError;
use crate::mapping::Mapping;
use crate::url::BrokerUrl;

/// Most characters of a prefix.
const PREFIX_MAX: usize = 100;
/// Each queue is a consumer of each group on the server.
const BOUNDS: Bounds = Bounds {
    prefix: 1..=PREFIX_MAX,
    queues: 1_024,
};

/// What publishers and subscribers are told.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) prefix: String,
    pub(super) dead_prefix: String,
    pub(super) dead_stream: String,
    pub(super) stream: String,
    pub(super) queues: u32,
    pub(super) timeout: Duration,
    pub(super) lease: Duration,
    pub(super) mapping: Mapping,
    /// Counts how often a connection was made: what was asked for over the one before is not answered any more.
    pub(super) connected: watch::Receiver<u64>,
}

/// The names of the settings that a URL can have besides those that every engine has.
const SETTINGS: &[&str] = &[
    "lease",
    "create",
    "stream",
    "replicas",
    "max_age",
    "max_bytes",
    "duplicate_window",
    "credentials",
];

/// Sets a [`Nats`] up.
#[derive(Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct NatsBuilder {
    servers: Vec<String>,
    options: ConnectOptions,
    credentials: Option<PathBuf>,
    common: Common,
    stream: StreamOptions,
    create: bool,
    lease: Duration,
}

impl NatsBuilder {
    fn new(servers: Vec<String>, options: ConnectOptions) -> Self {
        Self {
            servers,
            options: options.name("outbox"),
            credentials: None,
            common: Common::new("outbox"),
            stream: StreamOptions::new(),
            create: true,
            lease: Duration::from_secs(30),
        }
    }

    /// With what the URL says.
    pub(crate) fn of_url(url: BrokerUrl) -> Result<Self, BrokerError> {
        url.without_path()?;
        let servers = url
            .hosts()
            .iter()
            .map(|host| format!("{}://{host}", url.scheme()))
            .collect();
        // The client reads them from no URL.
        let options = match (url.user(), url.password()) {
            (Some(user), Some(password)) => {
                ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
            }
            (Some(token), None) => ConnectOptions::with_token(token.to_owned()),
            (None, _) => ConnectOptions::new(),
        };
        let mut builder = Self::new(servers, options);
        for setting in url.settings() {
            if builder.common.take(setting)? {
                continue;
            }
            let stream = builder.stream.clone();
            builder = match &*setting.name {
                "lease" => builder.lease(setting.duration()?),
                "create" => builder.create_stream(setting.yes()?),
                "stream" => builder.stream(stream.name(&setting.value)),
                "replicas" => builder.stream(stream.replicas(setting.number()?)),
                "max_age" => builder.stream(stream.max_age(setting.duration()?)),
                "max_bytes" => builder.stream(stream.max_bytes(setting.number()?)),
                "duplicate_window" => builder.stream(stream.duplicate_window(setting.duration()?)),
                "credentials" => builder.credentials_file(setting.file()),
                _ => return Err(Common::unknown(setting, SETTINGS)),
            };
        }
        Ok(builder)
    }

    /// The first words of all subjects. Default: `outbox`. Dead letters are under this and `-dead`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.common.prefix = prefix.into();
        self
    }

    /// The stream, as it is made where it is not there. Default: [`StreamOptions::new`].
    pub fn stream(mut self, stream: StreamOptions) -> Self {
        self.stream = stream;
        self
    }

    /// Whether streams are made that are not there. Default: true. Otherwise it is an error that they are not. A stream that is
    /// there is never changed.
    pub fn create_stream(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// How many queues a topic has, 1 to 1,024. Default: 8. All programs need the same number, and one that changes moves keys: do
    /// it while the stream is empty.
    pub fn queues_per_topic(mut self, queues: u32) -> Self {
        self.common.queues = queues;
        self
    }

    /// How long the server may take to answer. Default: 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.common.timeout = timeout;
        self
    }

    /// How long a message that was received stays its member's (the consumers' `ack_wait`). Default: 30 seconds; at least 100
    /// milliseconds. A handler must need less. Consumers that are there already are changed to it.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// A file of credentials (`.creds`: JWT and seed).
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.credentials = Some(path.into());
        self
    }

    /// Messages are CloudEvents 1.0 in binary mode, from this source (a URI or a path, such as `/orders`): their attributes are
    /// headers `ce-…`. Default: headers of our own. Both are understood, whichever is written.
    pub fn cloudevents(mut self, source: impl Into<String>) -> Self {
        self.common.cloudevents = Some(source.into());
        self
    }

    /// A token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.options = self.options.token(token.into());
        self
    }

    /// TLS even where the URL says `nats://`, with these roots in PEM beside those of the system.
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

    /// Connects, and makes or looks at the streams. Later the connection comes back by itself, with growing waits, whenever it is lost.
    ///
    /// # Errors
    /// A setting can't be, the server can't be reached or refuses, or a stream is not as it has to be.
    pub async fn connect(self) -> Result<Nats, BrokerError> {
        self.check()?;
        let (generation, mut connected) = watch::channel(0);
        let mut options = self
            .options
            .connection_timeout(self.common.timeout)
            .event_callback(move |event| {
                match event {
                    Event::Connected => generation.send_modify(|times| *times += 1),
                    event => tracing::debug!(%event, "NATS"),
                }
                std::future::ready(())
            });
        if let Some(path) = self.credentials {
            options = options
                .credentials_file(path)
                .await
                .map_err(BrokerError::server("reading the credentials"))?;
        }
        let common = self.common;
        if let Some(roots) = &common.tls.roots {
            options = options.require_tls(true).add_root_certificates(roots.clone());
        }
        if let (Some(certificate), Some(key)) = (&common.tls.certificate, &common.tls.key) {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let client = options
            .connect(self.servers)
            .await
            .map_err(BrokerError::server("connecting"))?;
        // Whoever sees it change later has lost a connection.
        let _ = tokio::time::timeout(common.timeout, connected.wait_for(|times| *times > 0)).await;
        let context = ContextBuilder::new()
            .timeout(common.timeout)
            .ack_timeout(common.timeout)
            .build(client);
        let (stream, options) = (self.stream.name_under(&common.prefix), self.stream);
        let settings = Settings {
            mapping: common.mapping("ce-", true),
            dead_prefix: format!("{}-dead", common.prefix),
            dead_stream: format!("{stream}_DEAD"),
            prefix: common.prefix,
            stream,
            queues: common.queues,
            timeout: common.timeout,
            lease: self.lease,
            connected,
        };
        stream::ensure(
            &context,
            self.create,
            options.config(&settings.stream, names::all_subjects(&settings.prefix)),
        )
        .await?;
        // What failed is kept until somebody decides, however old it gets.
        let mut dead = options.config(&settings.dead_stream, names::all_subjects(&settings.dead_prefix));
        dead.max_age = Duration::ZERO;
        dead.max_bytes = -1;
        stream::ensure(&context, self.create, dead).await?;
        Ok(Nats {
            context,
            settings: Arc::new(settings),
        })
    }

    fn check(&self) -> Result<(), BrokerError> {
        self.common.check(&BOUNDS)?;
        self.stream.check()?;
        if self.lease < Duration::from_millis(100) {
            let reason = "it is at least 100 ms: the server looks at it that often";
            return Err(BrokerError::setting("lease", format!("{:?}", self.lease), reason));
        }
        Ok(())
    }
}

/// The limits of names hold for every engine.
const _: () = assert!(Limits::TOPIC_BYTES + PREFIX_MAX < 512);
