use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use outbox_core::relay::{Relay, RelayConfig, RelayStats, Stopped};
use outbox_core::{Publisher, Wake};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::metered::{Meter, MeteredStore};
use super::sink::Sink;
use crate::database::{Database, relay_store};

/// A relay that settles nothing for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// How to run a relay.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) sink: Sink,
    pub(crate) config: RelayConfig,
    pub(crate) wake: Option<Wake>,
}

impl Setup {
    /// All defaults.
    pub(crate) fn of(sink: Sink) -> Self {
        Self {
            sink,
            config: RelayConfig::default(),
            wake: None,
        }
    }
}

/// A relay at work in this process.
pub(crate) struct Running {
    pub(crate) meter: Arc<Meter>,
    pub(crate) stats: Arc<RelayStats>,
    stop: CancellationToken,
    task: JoinHandle<Stopped>,
}

impl Running {
    pub(crate) async fn start(database: &Database, setup: Setup) -> Result<Self> {
        Self::begin(database, setup.sink, setup.config, setup.wake).await
    }

    /// One that delivers to something else, all defaults.
    pub(crate) async fn start_to(database: &Database, publisher: Arc<dyn Publisher>) -> Result<Self> {
        Self::begin(database, publisher, RelayConfig::default(), None).await
    }

    async fn begin(
        database: &Database,
        publisher: impl Publisher,
        config: RelayConfig,
        wake: Option<Wake>,
    ) -> Result<Self> {
        let meter = Meter::new();
        let store = MeteredStore::new(relay_store(database).await?, meter.clone());
        let mut relay = Relay::new(store, publisher, config)?;
        if let Some(wake) = wake {
            relay = relay.with_wake(wake);
        }
        let stop = CancellationToken::new();
        Ok(Self {
            meter,
            stats: relay.stats(),
            task: tokio::spawn(relay.run(stop.clone())),
            stop,
        })
    }

    /// Waits until the relay has its shards and has begun to read.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let mut fetching = self.meter.fetching();
        tokio::select! {
            answer = tokio::time::timeout(STUCK_AFTER, fetching.wait_for(|&fetching| fetching)) => {
                answer.context("the relay did not begin to read")?.context("the relay is gone")?;
                Ok(())
            }
            stopped = &mut self.task => bail!("the relay stopped by itself: {:?}", stopped?.reason),
        }
    }

    /// Waits until so many messages are settled.
    pub(crate) async fn settled(&mut self, messages: u64) -> Result<()> {
        let mut settled = self.meter.settled();
        loop {
            let before = *settled.borrow_and_update();
            if before >= messages {
                return Ok(());
            }
            tokio::select! {
                changed = tokio::time::timeout(STUCK_AFTER, settled.changed()) => {
                    changed
                        .with_context(|| format!(
                            "the relay settled nothing for {STUCK_AFTER:?}; {before} of {messages} are settled; {:?}",
                            self.stats
                        ))?
                        .context("the relay is gone")?;
                }
                stopped = &mut self.task => bail!("the relay stopped by itself: {:?}", stopped?.reason),
            }
        }
    }

    /// Stops it, and makes sure that it left nothing behind.
    pub(crate) async fn stop(self) -> Result<Stopped> {
        self.stop.cancel();
        let stopped = self.task.await.context("the relay panicked")?;
        if !stopped.is_clean() {
            bail!("the relay did not stop cleanly: {stopped:?}");
        }
        Ok(stopped)
    }
}
