use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use crate::error::BrokerError;

/// How a stream is made.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    pub(super) name: Option<String>,
    replicas: usize,
    max_age: Duration,
    max_bytes: Option<i64>,
    duplicate_window: Duration,
}

impl StreamOptions {
    /// A stream in files, called as the prefix is (`OUTBOX`), on one server, that keeps messages for 7 days whoever has read them, and knows an id for two
    /// minutes.
    pub fn new() -> Self {
        Self {
            name: None,
            replicas: 1,
            max_age: Duration::from_secs(7 * 86_400),
            max_bytes: None,
            duplicate_window: Duration::from_secs(120),
        }
    }

    /// Its name. Default: the prefix in capitals, with `_` for dots. That of the dead letters has `_DEAD` behind it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// On how many servers of a cluster each message is, 1 to 5. Default: 1. With 3, one server may be lost.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// How long a message is kept, whether or not every group has received it. Default: 7 days; zero: for ever.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// How much the stream holds at most. A full one refuses messages, which then wait in the outbox. Default: no limit but the disk.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(i64::try_from(bytes).unwrap_or(i64::MAX));
        self
    }

    /// How long a message that comes again under its id is dropped. Default: two minutes. Long ones cost the server memory.
    #[must_use]
    pub fn duplicate_window(mut self, window: Duration) -> Self {
        self.duplicate_window = window;
        self
    }

    /// The stream's name.
    pub(super) fn name_under(&self, prefix: &str) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => prefix.to_uppercase().replace('.', "_"),
        }
    }

    pub(super) fn check(&self) -> Result<(), BrokerError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if let Some(name) = &self.name
            && (name.is_empty() || name.len() > 200 || !name.chars().all(plain))
        {
            let reason = "it is letters, digits, - and _, 200 characters at most";
            return Err(BrokerError::setting(
                "the stream's name",
                format!("{name:?}"),
                reason,
            ));
        }
        if !(1..=5).contains(&self.replicas) {
            return Err(BrokerError::setting(
                "replicas",
                self.replicas,
                "a server takes 1 to 5",
            ));
        }
        Ok(())
    }

    pub(super) fn config(&self, name: &str, subjects: String) -> Config {
        Config {
            name: name.to_owned(),
            subjects: vec![subjects],
            retention: RetentionPolicy::Limits,
            // Never drops what was acknowledged to make room.
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: self.replicas,
            max_age: self.max_age,
            max_bytes: self.max_bytes.unwrap_or(-1),
            // The server wants it to be no longer than messages are kept.
            duplicate_window: match self.max_age.is_zero() {
                true => self.duplicate_window,
                false => self.duplicate_window.min(self.max_age),
            },
            ..Config::default()
        }
    }
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Looks whether a stream takes its subjects, and makes it where it is not there.
pub(super) async fn ensure(context: &Context, create: bool, config: Config) -> Result<(), BrokerError> {
    let subjects = config.subjects.join(" ");
    let found = match context.get_stream(&config.name).await {
        Ok(stream) => stream,
        Err(error) if is_missing(error.kind()) => {
            if !create {
                return Err(BrokerError::Missing {
                    what: "stream",
                    name: config.name,
                    remedy: format!("make it with the subjects {subjects:?}, or let it be made (`create`)"),
                });
            }
            // Another program may be making it at this moment: then it is the same one.
            match context.create_stream(&config).await {
                Ok(_) => return Ok(()),
                Err(error) if exists_by_now(&error.kind()) => context
                    .get_stream(&config.name)
                    .await
                    .map_err(BrokerError::server("looking for the stream"))?,
                Err(error) => return Err(BrokerError::server("making the stream")(error)),
            }
        }
        Err(error) => return Err(BrokerError::server("looking for the stream")(error)),
    };
    let is = &found.cached_info().config;
    if is.storage != StorageType::File
        || is.discard != DiscardPolicy::New
        || is.retention != RetentionPolicy::Limits
    {
        tracing::warn!(
            stream = config.name,
            storage = ?is.storage,
            discard = ?is.discard,
            retention = ?is.retention,
            "this stream can lose messages that it has acknowledged: it should be in files, discard new ones when it is full, and \
             keep what was read (`limits`)"
        );
    }
    let taken = &is.subjects;
    match config.subjects.iter().all(|subject| taken.contains(subject)) {
        true => Ok(()),
        false => Err(BrokerError::Unfit {
            what: "stream",
            name: config.name,
            reason: format!("it takes {taken:?}, and {subjects:?} are needed"),
        }),
    }
}

fn is_missing(kind: GetStreamErrorKind) -> bool {
    match kind {
        GetStreamErrorKind::JetStream(error) => {
            error.error_code() == async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND
        }
        _ => false,
    }
}

fn exists_by_now(kind: &CreateStreamErrorKind) -> bool {
    matches!(kind, CreateStreamErrorKind::JetStream(error)
        if error.error_code() == async_nats::jetstream::ErrorCode::STREAM_NAME_EXIST)
}
