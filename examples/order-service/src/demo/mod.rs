//! `order-service demo`: the whole service in one process, real HTTP included, under load; then an audit.
//!
//! In reading order: where it runs (`ground`), what is ordered (`plan`) and how (`load`), what is counted on the way
//! (`tap`), when it is over (`rest`), and what came of it (`outcome`).

mod ground;
mod load;
mod outcome;
mod plan;
mod rest;
mod tap;

use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::net::TcpListener;

use crate::audit::Audit;
use crate::client::Client;
use crate::config::DemoConfig;
use crate::database::Database;
use crate::messaging::queue::Queue;
use crate::service::{Service, Setup};
use crate::signals;
use ground::Ground;
use outcome::Outcome;
use plan::Plan;
use tap::Tap;

/// Runs the demo, prints what came of it, and clears up after itself.
///
/// # Errors
/// It could not be run; or something was lost, applied twice, unbalanced or not at rest in time. Then its data stays
/// where it is, to be looked at.
pub async fn run(config: DemoConfig) -> anyhow::Result<()> {
    let mut signals = signals::listen()?;
    let ground = Ground::prepare(config.database_url()).await?;
    let outcome = tokio::select! {
        outcome = play(&config, &ground) => outcome,
        () = signals.next() => {
            ground.clear().await?;
            bail!("interrupted")
        }
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return Err(error.context(ground.keep())),
    };
    if config.json {
        println!("{}", outcome.to_json()?);
    } else {
        println!("{outcome}");
    }
    let findings = outcome.findings();
    if findings.is_empty() {
        return ground.clear().await;
    }
    bail!("{}; {}", findings.join("; "), ground.keep())
}

async fn play(config: &DemoConfig, ground: &Ground) -> anyhow::Result<Outcome> {
    let plan = Plan::new(config.seed, config.orders);
    let database = Database::open(ground.url()).await?;
    let queue = Queue::new(config.queue, &database)?;
    let tap = Tap::new(queue.publisher());
    let service = Service::start(Setup {
        database,
        listener: TcpListener::bind("127.0.0.1:0").await?,
        queue: queue.clone(),
        roles: crate::role::default_roles(),
        settings: crate::backend::Settings::default(),
        rate: None,
        playground: false,
        drain_notice: Duration::ZERO,
    })
    .await?;
    let client = Client::new(service.address());
    let on_hand = plan.stock(&client).await?;

    let started = Instant::now();
    let placed = load::place_orders(
        &client,
        &plan,
        config.rate,
        &bar("placing orders", config.orders.into()),
    )
    .await?;
    let at_rest = rest::wait(
        &queue,
        &tap,
        placed.messages,
        config.patience,
        &bar("coming to rest", placed.messages),
    )
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    service.stop().await?;

    // Opened anew: what is audited is what a restart would find.
    let database = Database::open(ground.url()).await?;
    let audit = Audit::of(&database).await?;
    database.close().await;
    Ok(Outcome {
        queue: config.queue,
        audit,
        orders_acknowledged: placed.orders,
        messages_acknowledged: placed.messages,
        messages_delivered: tap.messages(),
        deliveries: tap.deliveries(),
        on_hand,
        at_rest,
        seconds,
    })
}

/// On standard error, and only where that is a terminal.
fn bar(what: &'static str, length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg:<15} {wide_bar} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
