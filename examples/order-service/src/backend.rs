//! All modules in one database: the one place that knows which of them there are and how they are made. The rest of the
//! service holds them as traits, and does not know which database it is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use idempotency::http::{HttpIdempotency, HttpSettings};
use idempotency::lock::{Lock, MemoryLock, RedisLock};
use idempotency::{Idempotency, Retention};
use outbox_core::Event;
use outbox_sqlx::Outbox;
use outbox_sqlx::confirmations::Confirmations;
use tokio_util::sync::CancellationToken;

use crate::database::{Pools, ServiceDatabase};
use crate::dead_letters::DeadLetterDesk;
use crate::events::OrderEvent;
use crate::faults::Faults;
use crate::groups::{CONFIRM_TO, CONFIRMATIONS};
use crate::inventory::Warehouse;
use crate::journal::Journal;
use crate::loyalty::Accounts;
use crate::messaging::{Hearing, Messenger, Module, ModuleHandler, trace};
use crate::orders::{OrderDesk, SqlOrderDesk};
use crate::payment::SandboxGateway;
use crate::{http, inventory, loyalty, orders, payment, shipping};

/// Topics that may have no listener.
pub const OPTIONAL_TOPICS: [&str; 1] = [OrderEvent::TOPIC];

/// How long what was handled is remembered. Longer than a message can come again: by the queue and its resends within a
/// week, and by a redrive of a dead letter within another 30 days.
const REMEMBERED: Retention = Retention::of(days(60))
    .resend(days(1))
    .redelivery(days(7))
    .dead_letters(days(30));

/// Batches of the ledger that one run of the expiry removes at most.
const EXPIRY_BATCHES: u32 = 100;

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// What can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a buyer may take to pay.
    pub pay_within: Duration,
    /// How long the carrier takes.
    pub transit: Duration,
    /// How long after its delivery a message has to be confirmed, before it is sent again.
    pub confirm_within: Duration,
    /// Where the lock in front of the ledger is: a Redis, or in this process where nothing is said.
    pub redis_url: Option<String>,
    /// What is to go wrong.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pay_within: Duration::from_secs(15 * 60),
            transit: Duration::from_secs(2),
            confirm_within: Duration::from_secs(30),
            redis_url: None,
            faults: Faults::new(),
        }
    }
}

/// All modules.
#[derive(Clone)]
pub struct Backend {
    /// Orders, as buyers see them.
    pub orders: Arc<dyn OrderDesk>,
    /// Inventory, as merchants see it.
    pub warehouse: Arc<dyn Warehouse>,
    /// Loyalty, as buyers see it.
    pub accounts: Arc<dyn Accounts>,
    /// The journeys of messages.
    pub journal: Arc<dyn Journal>,
    /// What could not be delivered or handled.
    pub dead_letters: Arc<dyn DeadLetterDesk>,
    /// What has to be done by the clock.
    pub upkeep: Arc<dyn Upkeep>,
    /// The modules as consumer groups.
    pub modules: Vec<Module>,
    /// Wakes the relay of this process.
    pub outbox: Outbox,
}

impl Backend {
    /// The modules in the database of `pools`.
    ///
    /// # Errors
    /// The database can't be read, or a setting can't be.
    pub async fn new<DB: ServiceDatabase>(pools: Pools<DB>, settings: &Settings) -> anyhow::Result<Self> {
        let outbox = Outbox::builder().trace_context(trace::current).build();
        let messenger = Messenger::new(outbox.clone(), settings.confirm_within);
        let idempotency = Idempotency::builder(pools.write.clone())
            .lock(lock(settings.redis_url.as_deref())?)
            .retention(REMEMBERED)
            .build()
            .await
            .context("the ledger is not usable")?;
        let once = HttpIdempotency::new(
            pools.write.clone(),
            HttpSettings::new()
                .required(false)
                .body_bytes(http::BODY_BYTES_MAX),
        )?;
        let hearing = Hearing {
            idempotency: idempotency.clone(),
            messenger: messenger.clone(),
            faults: settings.faults.clone(),
        };
        let gateway = Arc::new(SandboxGateway::new(pools.clone(), settings.faults.clone()));
        let confirmations = Confirmations::new(pools.write.clone());
        let modules = vec![
            orders::module(&hearing, settings.pay_within)?,
            inventory::module(&hearing)?,
            payment::module(&hearing, gateway)?,
            shipping::module(&hearing, settings.transit)?,
            loyalty::module(&hearing)?,
            Module {
                group: CONFIRMATIONS,
                topics: &[CONFIRM_TO],
                handler: ModuleHandler::Batches(Arc::new(confirmations.clone())),
            },
        ];
        Ok(Self {
            orders: Arc::new(SqlOrderDesk::new(
                pools.clone(),
                messenger,
                once,
                settings.pay_within,
            )),
            warehouse: Arc::new(pools.clone()),
            accounts: Arc::new(pools.clone()),
            journal: Arc::new(pools.clone()),
            dead_letters: Arc::new(pools),
            upkeep: Arc::new(SqlUpkeep {
                idempotency,
                confirmations,
            }),
            modules,
            outbox,
        })
    }

    /// The module that is this group.
    pub fn module(&self, group: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.group == group)
    }
}

fn lock(redis_url: Option<&str>) -> anyhow::Result<Arc<dyn Lock>> {
    Ok(match redis_url {
        Some(url) => Arc::new(
            RedisLock::builder(url)
                .build()
                .context("REDIS_URL can't be used")?,
        ),
        None => Arc::new(MemoryLock::new()),
    })
}

/// What has to be done by the clock, besides retention.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// Sends again what was not confirmed in time, until it is told to stop.
    async fn resend(&self, stop: CancellationToken);

    /// Forgets keys that are remembered for long enough, and returns how many.
    ///
    /// # Errors
    /// The database can't be written.
    async fn expire_keys(&self) -> anyhow::Result<u64>;
}

struct SqlUpkeep<DB: ServiceDatabase> {
    idempotency: Idempotency<DB>,
    confirmations: Confirmations<DB>,
}

#[async_trait]
impl<DB: ServiceDatabase> Upkeep for SqlUpkeep<DB> {
    async fn resend(&self, stop: CancellationToken) {
        self.confirmations.run(stop).await;
    }

    async fn expire_keys(&self) -> anyhow::Result<u64> {
        Ok(self.idempotency.expire(EXPIRY_BATCHES).await?)
    }
}
