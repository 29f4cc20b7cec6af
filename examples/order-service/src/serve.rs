//! `order-service serve`: the service, until it is told to stop.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::config::ServeConfig;
use crate::database::Database;
use crate::messaging::queue::Queue;
use crate::service::{Service, Setup};
use crate::signals;

/// Runs until SIGTERM or Ctrl-C, then stops in order. A second signal ends it at once.
///
/// # Errors
/// It can't be started, or a part of it gave up.
pub async fn serve(config: ServeConfig) -> anyhow::Result<()> {
    let mut signals = signals::listen()?;
    let listener = bind(config.bind).await?;
    let database = Database::open(config.database_url()).await?;
    let queue = Queue::new(&config.queue, &database).await?;
    let service = Service::start(Setup {
        database,
        listener,
        queue,
        roles: config.roles(),
        settings: config.settings(),
        rate: config.consumer_rate,
        playground: config.playground(),
        drain_notice: config.drain_notice,
    })
    .await?;
    // On standard output, and the only line there: for whoever started it and waits. The log goes to standard error.
    println!("listening on http://{}", service.address());
    tokio::select! {
        () = signals.next() => tracing::info!("stopping"),
        () = service.failed() => {}
    }
    tokio::select! {
        stopped = service.stop() => stopped,
        () = signals.next() => anyhow::bail!("stopped by a second signal, without finishing what was under way"),
    }
}

/// Opens the port before anything else is done.
async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "can't listen on {address}; set BIND to another address, such as 127.0.0.1:0 for any free port"
        )
    })
}
