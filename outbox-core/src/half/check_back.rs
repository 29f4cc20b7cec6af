use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::checker::Checker;
use super::error::HalfError;
use super::messages::HalfMessages;
use super::stopped::Stopped;
use super::sweep;
use crate::limits::Limits;

/// Most checks of one topic at the same time.
const MAX_CONCURRENCY: usize = 1_000;
/// The longest that one check may take.
const CHECK_TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
/// The longest pause between two looks.
const POLL_MAX: Duration = Duration::from_secs(3_600);

/// What a check-back was told, checked.
#[derive(Clone, Copy)]
pub(super) struct Config {
    pub(super) concurrency: usize,
    pub(super) check_timeout: Duration,
    pub(super) poll: Duration,
}

/// Asks after half messages that were neither committed nor rolled back.
///
/// Several processes may run one for the same queue: a message is asked after by one of them at a time. A topic without a
/// checker here is left to others.
pub struct CheckBack {
    half: HalfMessages,
    checkers: BTreeMap<Arc<str>, Arc<dyn Checker>>,
    config: Config,
}

impl CheckBack {
    /// Sets one up for these half messages.
    pub fn builder(half: HalfMessages) -> CheckBackBuilder {
        CheckBackBuilder {
            half,
            checkers: BTreeMap::new(),
            config: Config {
                concurrency: 8,
                check_timeout: Duration::from_secs(15),
                poll: Duration::from_secs(1),
            },
        }
    }

    /// Asks until told to stop; then no check is begun any more, and those that run are finished, which takes at most the
    /// check's timeout beside what the store takes. Dropping the future is safe, too: what was being asked after is asked
    /// after again, a little later.
    pub async fn run(self, stop: CancellationToken) -> Stopped {
        let stopped = sweep::run(&self.half, &self.checkers, self.config, &stop).await;
        tracing::info!(%stopped, "the check-back stopped");
        stopped
    }
}

impl fmt::Debug for CheckBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckBack")
            .field("half", &self.half)
            .field("topics", &self.checkers.keys())
            .finish_non_exhaustive()
    }
}

/// Sets up a [`CheckBack`]; nothing is asked before it runs.
#[must_use = "a builder does nothing until it is built and run"]
pub struct CheckBackBuilder {
    half: HalfMessages,
    checkers: BTreeMap<Arc<str>, Arc<dyn Checker>>,
    config: Config,
}

impl CheckBackBuilder {
    /// Who is asked about the messages of a topic. The last one that is told counts.
    pub fn checker(mut self, topic: impl Into<Arc<str>>, checker: Arc<dyn Checker>) -> Self {
        self.checkers.insert(topic.into(), checker);
        self
    }

    /// How many messages of one topic are asked after at the same time. Default: 8; 1 to 1,000.
    pub fn concurrency(mut self, checks: usize) -> Self {
        self.config.concurrency = checks;
        self
    }

    /// How long a check may take; then it is dropped, which costs the message no check. Default: 15 seconds; more than zero,
    /// at most an hour.
    pub fn check_timeout(mut self, timeout: Duration) -> Self {
        self.config.check_timeout = timeout;
        self
    }

    /// How often it is looked for messages that are due: how late a check may be. Default: 1 second; 1 ms to an hour.
    pub fn poll(mut self, interval: Duration) -> Self {
        self.config.poll = interval;
        self
    }

    /// The check-back, its settings checked.
    ///
    /// # Errors
    /// The first setting that can't be, by name and with its value.
    pub fn build(self) -> Result<CheckBack, HalfError> {
        let Config {
            concurrency,
            check_timeout,
            poll,
        } = self.config;
        if self.checkers.is_empty() {
            return Err(HalfError::setting("checker", "missing".to_owned(), "registered"));
        }
        for topic in self.checkers.keys() {
            Limits::check_topic(topic).map_err(HalfError::Message)?;
        }
        if concurrency == 0 || concurrency > MAX_CONCURRENCY {
            return Err(HalfError::setting(
                "concurrency",
                concurrency.to_string(),
                "1 to 1000",
            ));
        }
        if check_timeout.is_zero() || check_timeout > CHECK_TIMEOUT_MAX {
            let value = format!("{check_timeout:?}");
            return Err(HalfError::setting(
                "check_timeout",
                value,
                "more than 0 and at most 1 h",
            ));
        }
        if poll < Duration::from_millis(1) || poll > POLL_MAX {
            return Err(HalfError::setting("poll", format!("{poll:?}"), "1 ms to 1 h"));
        }
        Ok(CheckBack {
            half: self.half,
            checkers: self.checkers,
            config: self.config,
        })
    }
}

impl fmt::Debug for CheckBackBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckBackBuilder")
            .field("half", &self.half)
            .field("topics", &self.checkers.keys())
            .finish_non_exhaustive()
    }
}
