use std::sync::Arc;
use std::time::Duration;

use outbox_core::Wake;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::task::JoinHandle;

use crate::postgres::{NOTIFY_CHANNEL, QUEUE_CHANNEL};

/// The first wait before connecting again, doubled up to the longest.
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_LONGEST: Duration = Duration::from_secs(10);
/// After so long a silence the connection is made anew: a dead one is silent too.
const SILENCE: Duration = Duration::from_secs(300);

/// Listens on the channel `outbox` with a connection of its own and wakes the relay of this process.
///
/// A hint and never more: notifications that are lost while it connects again cost the relay its idle polling
/// interval. Dropping it stops it.
#[derive(Debug)]
pub struct PostgresWakeListener {
    task: JoinHandle<()>,
}

impl PostgresWakeListener {
    /// Starts to listen where `pool` connects to; the connection is not the pool's.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(pool: &PgPool, wake: Wake) -> Self {
        Self::with_options(pool.connect_options().as_ref().clone(), wake)
    }

    /// Starts to listen with these options, but for the application's name.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn with_options(options: PgConnectOptions, wake: Wake) -> Self {
        let options = options.application_name("outbox-relay-listener");
        Self {
            task: tokio::spawn(listen(options, NOTIFY_CHANNEL, Arc::new(move || wake.arm()))),
        }
    }

    /// Listens for what is told to members of consumer groups instead.
    pub(crate) fn for_queue(options: PgConnectOptions, heard: Arc<dyn Fn() + Send + Sync>) -> Self {
        let options = options.application_name("outbox-consumer-listener");
        Self {
            task: tokio::spawn(listen(options, QUEUE_CHANNEL, heard)),
        }
    }
}

impl Drop for PostgresWakeListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(options: PgConnectOptions, channel: &'static str, heard: Arc<dyn Fn() + Send + Sync>) {
    let mut wait = RECONNECT_FIRST;
    loop {
        match connect(&options, channel).await {
            Ok(listener) => {
                wait = RECONNECT_FIRST;
                // Something may have been said while nobody listened.
                heard();
                if let Err(error) = hear(listener, &*heard).await {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "the outbox listener lost its connection"
                    );
                }
            }
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the outbox listener can't connect"
                );
            }
        }
        tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        wait = (wait * 2).min(RECONNECT_LONGEST);
    }
}

async fn connect(options: &PgConnectOptions, channel: &str) -> Result<PgListener, sqlx::Error> {
    // The listener wants a pool to connect by; it gets one for itself.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(RECONNECT_LONGEST)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    Ok(listener)
}

/// Until the connection is lost or has been silent for long.
async fn hear(mut listener: PgListener, told: &(dyn Fn() + Send + Sync)) -> Result<(), sqlx::Error> {
    while let Ok(heard) = tokio::time::timeout(SILENCE, listener.try_recv()).await {
        match heard? {
            Some(_) => told(),
            None => break,
        }
    }
    Ok(())
}
