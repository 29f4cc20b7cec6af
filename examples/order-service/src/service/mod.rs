//! The wiring: how the modules, the relay, the queue and HTTP become one service, and how it ends.

mod consumers;
mod part;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use outbox_core::relay;
use outbox_core::relay::RelayConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use consumers::Consumers;
use part::Part;

use crate::backend::{Backend, OPTIONAL_TOPICS, Settings};
use crate::database::Database;
use crate::http::{self, Readiness};
use crate::jobs;
use crate::messaging::Tap;
use crate::messaging::queue::Queue;
use crate::playground::Playground;
use crate::role::{Role, Roles};

/// How long requests that were accepted may take when the service stops.
const HTTP_DRAIN: Duration = Duration::from_secs(10);
/// How long what the relay handed to a queue in memory may take to be handled then.
const QUEUE_DRAIN: Duration = Duration::from_secs(10);
/// How long a scheduled job, or a look for what is to be sent again, may take then.
const UPKEEP_DRAIN: Duration = Duration::from_secs(10);

/// What a service is made of.
pub struct Setup {
    /// Where everything is.
    pub database: Database,
    /// Where requests come in.
    pub listener: TcpListener,
    /// What messages travel through.
    pub queue: Queue,
    /// Which parts of the service this process runs.
    pub roles: Roles,
    /// What can be set.
    pub settings: Settings,
    /// How many messages a second each consumer handles at most.
    pub rate: Option<u32>,
    /// Whether the playground is there: a page and an API to let things go wrong.
    pub playground: bool,
    /// How long `/readyz` says 503 before connections are refused, so that whoever balances the load can notice.
    pub drain_notice: Duration,
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    database: Database,
    backend: Backend,
    queue: Queue,
    readiness: Readiness,
    drain_notice: Duration,
    /// Cancelled when requests are not taken any more, for what is answered without an end.
    closing: CancellationToken,
    http: Part<std::io::Result<()>>,
    consumers: Consumers,
    relay: Option<RelayParts>,
    /// Cancelled when a part ends that nobody has stopped.
    ended: CancellationToken,
}

/// What the role of the relay consists of.
struct RelayParts {
    relay: Part<relay::Stopped>,
    resend: Part<()>,
    jobs: Part<anyhow::Result<()>>,
}

impl Service {
    /// Starts all parts, and takes requests when it returns.
    ///
    /// # Errors
    /// The database can't be read or written, or a setting can't be.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let Setup {
            database,
            listener,
            queue,
            roles,
            settings,
            rate,
            playground,
            drain_notice,
        } = setup;
        if matches!(queue, Queue::Memory(_)) && !crate::role::default_roles().is_subset(&roles) {
            bail!("a queue in memory reaches no other process: take the durable queue, or all roles");
        }
        let address = listener.local_addr()?;
        let backend = database.backend(&settings).await?;
        let tap = Tap::new(queue.publisher());
        let ended = CancellationToken::new();

        // Groups before relay: what comes in the meantime stays in the outbox.
        if !roles.contains(&Role::Loyalty) {
            for topic in OPTIONAL_TOPICS {
                queue.expect_no_group(topic, Role::Loyalty.group()).await?;
            }
        }
        let groups: Vec<_> = roles.iter().map(|role| role.group()).collect();
        let modules = backend
            .modules
            .iter()
            .filter(|module| groups.contains(&module.group));
        let modules = modules.cloned().collect();
        let consumers = Consumers::start(queue.clone(), modules, rate, ended.clone()).await?;
        let relay = match roles.contains(&Role::Relay) {
            false => None,
            true => {
                let relay = database
                    .relay(tap.clone(), relay_config())?
                    .with_wake(backend.outbox.waker());
                let (upkeep, retention) = (backend.upkeep.clone(), database.maintenance(&queue));
                let jobs = backend.clone();
                Some(RelayParts {
                    relay: Part::start(&ended, |stop| relay.run(stop)),
                    resend: Part::start(&ended, |stop| async move { upkeep.resend(stop).await }),
                    jobs: Part::start(&ended, |stop| jobs::run(jobs, retention, stop)),
                })
            }
        };

        let readiness = Readiness::new();
        let closing = CancellationToken::new();
        let playground = playground.then(|| Playground {
            faults: settings.faults.clone(),
            consumers: consumers.clone(),
            tap,
        });
        let router = http::router(&backend, &roles, playground, readiness.clone(), closing.clone());
        let http = Part::start(&ended, |stop| async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(stop.cancelled_owned())
                .await
        });
        readiness.set(true);
        Ok(Self {
            address,
            database,
            backend,
            queue,
            readiness,
            drain_notice,
            closing,
            http,
            consumers,
            relay,
            ended,
        })
    }

    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The modules.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The consumers.
    pub fn consumers(&self) -> &Consumers {
        &self.consumers
    }

    /// Waits until a part ends that nobody has stopped. [`Service::stop`] then says which and why.
    pub async fn failed(&self) {
        self.ended.cancelled().await;
    }

    /// Stops the parts from the door inwards, so that each finds the next one still at work.
    ///
    /// # Errors
    /// A part had ended before, or did not finish in time. All are stopped nevertheless, and nothing is lost: what
    /// is committed and not handled is done after the next start.
    pub async fn stop(self) -> anyhow::Result<()> {
        let failed_before = self.ended.is_cancelled();

        // No new orders. Those that were accepted are finished, also those whose clients have gone.
        self.readiness.set(false);
        tokio::time::sleep(self.drain_notice).await;
        self.closing.cancel();
        let http = self.http.stop(HTTP_DRAIN).await;
        self.backend.orders.drain().await;

        // Nothing goes from the outbox to the queue any more; what stays in the outbox is safe there. Before the
        // consumers: if the queue is in memory, they can empty it now.
        let (mut relay, mut jobs) = (None, None);
        if let Some(parts) = self.relay {
            parts.resend.stop(UPKEEP_DRAIN).await;
            relay = parts.relay.stop(Duration::MAX).await;
            jobs = parts.jobs.stop(UPKEEP_DRAIN).await;
        }
        let safe = self
            .queue
            .safe_to_leave(&self.consumers.groups(), QUEUE_DRAIN)
            .await;

        // What they still have in their hands they finish; then they leave their groups, so that whoever comes next
        // waits for nobody's lease. What they answered last is in the outbox.
        self.consumers.stop().await;
        self.database.close().await;

        // Each part has logged for itself what it did and what it left behind.
        tracing::info!(queue_is_safe = safe, "stopped");
        if let Some(relay::Stopped {
            reason: relay::StopReason::Unusable(error),
            ..
        }) = relay
        {
            return Err(anyhow::Error::new(error).context("the relay had to give up"));
        }
        if let Some(Err(error)) = http {
            return Err(anyhow::Error::new(error).context("the HTTP server had to give up"));
        }
        if let Some(Err(error)) = jobs {
            return Err(error).context("the schedule had to be given up");
        }
        if failed_before {
            bail!("a part of the service ended by itself; the log says which");
        }
        if http.is_none() {
            bail!("requests were still being answered {HTTP_DRAIN:?} after the stop, and were cut off");
        }
        Ok(())
    }
}

/// Short times, because the queue is in this process or in the same database, and takes a batch at once. When a relay is
/// killed, the next one waits for its lease to run out before it sends anything.
fn relay_config() -> RelayConfig {
    let mut config = RelayConfig::default();
    config.lease = Duration::from_secs(4);
    config.publish_timeout = Duration::from_secs(2);
    config
}
