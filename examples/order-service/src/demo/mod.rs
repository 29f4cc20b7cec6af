//! `order-service demo`: the whole service, real HTTP included, under load; then an audit.
//!
//! In reading order: where it runs (`ground`), what is ordered (`plan`), where (`shop`) and how (`load`, `pace`, `errands`); with
//! `--faults`, the processes (`fleet`) and what happens to them (`chaos`); when it is over (`rest`), and what came of it
//! (`outcome`).

mod chaos;
mod errands;
mod fleet;
mod ground;
mod load;
mod outcome;
mod pace;
mod plan;
mod rest;
mod shop;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::audit::Audit;
use crate::backend::Settings;
use crate::client::Client;
use crate::config::DemoConfig;
use crate::database::Database;
use crate::messaging::queue::{Queue, QueueKind};
use crate::role::{Role, Roles, default_roles};
use crate::service::{Service, Setup};
use crate::signals;
use chaos::Disturbance;
use fleet::Fleet;
use ground::Ground;
use outcome::Outcome;
use plan::Plan;
use shop::{Door, Shop};

/// How long a buyer may take to pay: short, because the demo waits for those who don't.
const PAY_WITHIN: Duration = Duration::from_secs(3);
/// How long the carrier takes.
const TRANSIT: Duration = Duration::from_millis(200);

/// Runs the demo, prints what came of it, and clears up after itself.
///
/// # Errors
/// It could not be run; or something was lost, applied twice, unbalanced or not at rest in time. Then its data stays
/// where it is, to be looked at.
pub async fn run(mut config: DemoConfig) -> anyhow::Result<()> {
    if config.faults && config.queue == QueueKind::Memory {
        bail!("a queue in memory reaches no other process: --faults needs --queue database, or a broker");
    }
    // What others have in a broker is none of it.
    let own = format!("order-service-demo-{}", uuid::Uuid::new_v4().simple());
    config.queue = config.queue.under(&own);
    let mut signals = signals::listen()?;
    let ground = Ground::prepare(config.database_url()).await?;
    let logs = TempDir::with_prefix("order-service-demo-logs-").context("making a temporary folder")?;
    let outcome = tokio::select! {
        outcome = play(&config, &ground, &logs) => outcome,
        () = signals.next() => {
            ground.clear().await?;
            bail!("interrupted")
        }
    };
    let keep = |ground: Ground, logs: TempDir| match config.faults {
        true => format!("{}, and the logs in {}", ground.keep(), logs.keep().display()),
        false => ground.keep(),
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return Err(error.context(keep(ground, logs))),
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
    bail!("{}; {}", findings.join("; "), keep(ground, logs))
}

/// What is seen from outside of the database.
struct Played {
    /// Orders that were acknowledged.
    orders: u64,
    /// Units that were put into stock.
    units: i64,
    at_rest: bool,
    kills: u32,
    seconds: f64,
}

async fn play(config: &DemoConfig, ground: &Ground, logs: &TempDir) -> anyhow::Result<Outcome> {
    let played = match config.faults {
        true => play_with_faults(config, ground, logs).await?,
        false => play_in_one_process(config, ground).await?,
    };
    // Opened anew: what is audited is what a restart would find.
    let database = Database::open(ground.url()).await?;
    let audit = Audit::of(&database).await?;
    database.close().await;
    Ok(Outcome {
        queue: config.queue.clone(),
        seed: config.seed,
        audit,
        played,
    })
}

async fn play_in_one_process(config: &DemoConfig, ground: &Ground) -> anyhow::Result<Played> {
    let database = Database::open(ground.url()).await?;
    let service = Service::start(Setup {
        listener: TcpListener::bind("127.0.0.1:0").await?,
        queue: Queue::new(&config.queue, &database).await?,
        database: database.clone(),
        roles: default_roles()
            .into_iter()
            .chain([Role::Loyalty])
            .collect::<Roles>(),
        settings: Settings {
            pay_within: PAY_WITHIN,
            transit: TRANSIT,
            ..Settings::default()
        },
        rate: None,
        playground: false,
        drain_notice: Duration::ZERO,
    })
    .await?;
    let plan = Plan::new(config.seed, config.orders);
    let units = plan.stock(&Client::new(service.address())).await?;
    let shop = Shop::new(vec![Door::at(service.address())]);
    let disturbance = Disturbance::default();
    disturbance.is_over.store(true, Ordering::Release);
    let played = place_and_rest(config, &plan, units, &shop, &database, &disturbance).await?;
    service.stop().await?;
    Ok(played)
}

async fn play_with_faults(config: &DemoConfig, ground: &Ground, logs: &TempDir) -> anyhow::Result<Played> {
    // Before the processes, so that its tables are there.
    let database = Database::open(ground.url()).await?;
    let fleet = Fleet::start(ground.url(), &config.queue, logs.path()).await?;
    let (shop, warehouse) = (fleet.shop(), fleet.warehouse());
    let plan = Plan::new(config.seed, config.orders);
    let client = warehouse.client().context("inventory takes no requests")?;
    let units = plan.stock(&client).await?;
    let disturbance = Disturbance::default();
    let played = tokio::select! {
        played = place_and_rest(config, &plan, units, &shop, &database, &disturbance) => played?,
        failed = chaos::run(fleet, config.seed, config.orders, &disturbance) => match failed? {},
    };
    database.close().await;
    Ok(played)
}

async fn place_and_rest(
    config: &DemoConfig,
    plan: &Plan,
    units: i64,
    shop: &Shop,
    database: &Database,
    disturbance: &Disturbance,
) -> anyhow::Result<Played> {
    let started = Instant::now();
    let (sender, receiver) = mpsc::unbounded_channel();
    let no_errands = AtomicBool::new(false);
    let (gate, open) = watch::channel(true);
    let playing = async {
        let placing = bar("placing orders", config.orders.into());
        let orders = tokio::select! {
            orders = load::place_orders(shop, plan, config.rate, &open, sender, &placing) => orders?,
            failed = pace::keep(database, &gate) => match failed? {},
        };
        disturbance.is_loaded.store(true, Ordering::Release);
        let done = [&no_errands, &disturbance.is_over];
        let at_rest = rest::wait(database, &done, config.patience, &bar("coming to rest", 0)).await?;
        anyhow::Ok((orders, at_rest))
    };
    let (orders, at_rest) = tokio::select! {
        played = playing => played?,
        failed = errands::run(shop, receiver, &no_errands) => match failed? {},
    };
    Ok(Played {
        orders,
        units,
        at_rest,
        kills: disturbance.kills.load(Ordering::Relaxed),
        seconds: started.elapsed().as_secs_f64(),
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
