//! The wiring: how outbox, relay, queue, consumers and HTTP become one service, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use outbox_core::relay::RelayConfig;
use outbox_core::{Event, Publisher, consumer, relay};
use outbox_sqlx::Outbox;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::database::Database;
use crate::events::OrderPlaced;
use crate::http::{self, Readiness};
use crate::queue::Queue;
use crate::{inventory, maintenance, orders};

/// How long requests that were accepted may take when the service stops.
const HTTP_DRAIN: Duration = Duration::from_secs(10);
/// How long what the relay handed to a queue in memory may take to be handled then.
const QUEUE_DRAIN: Duration = Duration::from_secs(10);
/// How long a step of the retention may take then.
const MAINTENANCE_DRAIN: Duration = Duration::from_secs(10);

/// What a service is made of.
pub struct Setup {
    /// Where orders, stock and the outbox are.
    pub database: Database,
    /// Where requests come in.
    pub listener: TcpListener,
    /// What messages travel through.
    pub queue: Queue,
    /// The end of the queue that the relay delivers to.
    pub publisher: Arc<dyn Publisher>,
    /// How long `/readyz` says 503 before connections are refused, so that whoever balances the load can notice.
    pub drain_notice: Duration,
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    database: Database,
    queue: Queue,
    readiness: Readiness,
    drain_notice: Duration,
    http: Part<std::io::Result<()>>,
    relay: Part<relay::Stopped>,
    inventory: Part<consumer::Stopped>,
    orders: Part<consumer::Stopped>,
    maintenance: Part<anyhow::Result<()>>,
    /// Cancelled when a part ends, for whatever reason.
    ended: CancellationToken,
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
            publisher,
            drain_notice,
        } = setup;
        let address = listener.local_addr()?;
        let outbox = Outbox::new();
        let orders = database.orders(&outbox);
        let inventory = database.inventory(&outbox);
        let ended = CancellationToken::new();

        // Before the group is made: whether it was there says whether this queue can have forgotten anything.
        if queue.may_have_forgotten(inventory::GROUP).await? {
            let asked = orders::ask_again(&*orders)
                .await
                .context("asking again what has no answer yet")?;
            if asked > 0 {
                tracing::info!(
                    sub_orders = asked,
                    "inventory is asked again about sub-orders without an answer"
                );
            }
        }

        // Groups before relay: what comes in the meantime stays in the outbox.
        queue.expect_no_group(OrderPlaced::TOPIC)?;
        let hear_requests = inventory::hear_requests(&queue, Arc::clone(&inventory))
            .await
            .context("subscribing to the requests for stock")?;
        let hear_answers = orders::hear_answers(&queue, Arc::clone(&orders))
            .await
            .context("subscribing to inventory's answers")?;
        let relay = database
            .relay(publisher, relay_config())?
            .with_wake(outbox.waker());
        let retention = database.maintenance(&queue);

        let readiness = Readiness::new();
        let router = http::router(orders, inventory, readiness.clone());
        let http = Part::start(&ended, |stop| async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(stop.cancelled_owned())
                .await
        });
        readiness.set(true);
        Ok(Self {
            address,
            database,
            queue,
            readiness,
            drain_notice,
            http,
            relay: Part::start(&ended, |stop| relay.run(stop)),
            inventory: Part::start(&ended, |stop| hear_requests.run(stop)),
            orders: Part::start(&ended, |stop| hear_answers.run(stop)),
            maintenance: Part::start(&ended, |stop| maintenance::run(retention, stop)),
            ended,
        })
    }

    /// Where it takes requests.
    pub fn address(&self) -> SocketAddr {
        self.address
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

        // No new orders. Those that were accepted are finished.
        self.readiness.set(false);
        tokio::time::sleep(self.drain_notice).await;
        let http = self.http.stop(HTTP_DRAIN).await;

        // Nothing goes from the outbox to the queue any more; what stays in the outbox is safe there. Before the
        // consumers: if the queue is in memory, they can empty it now.
        let relay = self.relay.stop(Duration::MAX).await;
        let groups = [inventory::GROUP, orders::GROUP];
        let safe = self.queue.safe_to_leave(&groups, QUEUE_DRAIN).await;

        // What they still have in their hands they finish; then they leave their groups, so that whoever comes next
        // waits for nobody's lease. What they answered last is in the outbox.
        self.inventory.stop(Duration::MAX).await;
        self.orders.stop(Duration::MAX).await;
        let maintenance = self.maintenance.stop(MAINTENANCE_DRAIN).await;
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
        if let Some(Err(error)) = maintenance {
            return Err(error);
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

/// A part of the service that runs by itself, and ends with this value at the latest.
struct Part<T> {
    stop: CancellationToken,
    task: AbortOnDropHandle<T>,
}

impl<T: Send + 'static> Part<T> {
    /// Runs it with a token that tells it to stop; when it has ended, `ended` is cancelled.
    fn start<F>(ended: &CancellationToken, run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let running = run(stop.clone());
        let ended = ended.clone();
        let task = tokio::spawn(async move {
            let _ended = ended.drop_guard();
            running.await
        });
        Self {
            stop,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Tells it to stop and waits for it. `None`: it panicked, or took longer and was cut off.
    async fn stop(self, limit: Duration) -> Option<T> {
        self.stop.cancel();
        timeout(limit, self.task).await.ok().and_then(Result::ok)
    }
}
