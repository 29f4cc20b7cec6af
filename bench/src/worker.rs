//! A relay in a process of its own: what a scenario starts as `outbox-bench relay-worker`.
//!
//! It says what happens on standard output, one line each, with the time by the clock that all processes share:
//!
//! ```text
//! ready
//! settled <messages> <nanoseconds>
//! message <id> <nanoseconds>
//! stats <statements> <delivered>
//! stopped <delivered>
//! ```
//!
//! It listens on standard input: `stats` asks for that line, and the end of the input stops it in order. So it also
//! ends when its parent does.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use outbox_core::Wake;
use outbox_sqlx::PostgresWakeListener;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Stdout, stdin, stdout};
use tokio::sync::watch;
use uuid::Uuid;

use crate::cli::WorkerArgs;
use crate::database::{Database, Kind};
use crate::relay::{Meter, Running, Seen, Setup, Sink};

/// Where the parent writes the URL, because everybody can read a process's arguments.
pub(crate) const URL_VARIABLE: &str = "OUTBOX_BENCH_WORKER_URL";

/// Progress is told at most once in this time.
const TELL_EVERY: Duration = Duration::from_millis(5);

pub(crate) async fn run(args: &WorkerArgs) -> Result<()> {
    // Its database goes with the parent: there is nothing left to be stopped in order.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    let database = of_parent()?;
    let seen = Seen::each();
    let mut sink = match args.sink_micros {
        0 => Sink::nothing(),
        micros => Sink::slow(Duration::from_micros(micros), args.sink_batch, 1)?,
    };
    if args.each {
        sink = sink.seen_by(&seen);
    }
    let mut setup = Setup::of(sink);
    setup.config.lease = Duration::from_millis(args.lease_millis);
    setup.config.publish_timeout = setup.config.publish_timeout.min(setup.config.lease / 2);
    setup.config.poll_idle = Duration::from_millis(args.poll_idle_millis);
    let _listener = args.listen.then(|| -> Result<_> {
        let wake = Wake::new();
        setup.wake = Some(wake.clone());
        let options: PgConnectOptions = database.url.parse().context("the database's URL")?;
        Ok(PostgresWakeListener::with_options(options, wake))
    });
    let _listener = _listener.transpose()?;
    let mut relay = Running::start(&database, setup).await?;
    let mut output = stdout();
    relay.ready().await?;
    let meter = relay.meter.clone();
    let mut settled = meter.settled();
    obey(&mut output, &mut settled, &OfRelay(&relay, meter, seen)).await?;
    let stopped = relay.stop().await?;
    say(&mut output, &format!("stopped {}\n", stopped.delivered)).await
}

/// Where the parent says to work.
pub(crate) fn of_parent() -> Result<Database> {
    let url = std::env::var(URL_VARIABLE).context("this is started by scenarios, which say where")?;
    Ok(Database {
        kind: Kind::of_url(&url),
        url,
    })
}

/// What a worker can tell.
pub(crate) trait Told {
    /// When the last message was settled.
    fn settled_at(&self) -> Duration;
    /// Which messages arrived since the last call, and when.
    fn arrivals(&self) -> Vec<(Uuid, Duration)>;
    /// Statements, and messages delivered.
    fn stats(&self) -> (u64, u64);
}

struct OfRelay<'a>(&'a Running, Arc<Meter>, Arc<Seen>);

impl Told for OfRelay<'_> {
    fn settled_at(&self) -> Duration {
        self.1.settled_at()
    }

    fn arrivals(&self) -> Vec<(Uuid, Duration)> {
        self.2.arrivals()
    }

    fn stats(&self) -> (u64, u64) {
        (self.0.stats.statements.get(), self.0.stats.delivered.get())
    }
}

/// Says that it is ready and then what happens, and answers, until the input ends.
pub(crate) async fn obey(
    output: &mut Stdout,
    settled: &mut watch::Receiver<u64>,
    told: &impl Told,
) -> Result<()> {
    say(output, "ready\n").await?;
    let mut commands = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            changed = settled.changed() => {
                changed.context("what settles messages is gone")?;
                let settled = *settled.borrow_and_update();
                tell(output, settled, told).await?;
                tokio::time::sleep(TELL_EVERY).await;
            }
            command = commands.next_line() => match command.context("reading commands")?.as_deref() {
                None => return Ok(()),
                Some("stats") => {
                    let (statements, delivered) = told.stats();
                    say(output, &format!("stats {statements} {delivered}\n")).await?;
                }
                Some(_) => {}
            },
        }
    }
}

async fn tell(output: &mut Stdout, settled: u64, told: &impl Told) -> Result<()> {
    let mut lines = String::new();
    for (id, at) in told.arrivals() {
        let _ = writeln!(lines, "message {id} {}", at.as_nanos());
    }
    let _ = writeln!(lines, "settled {settled} {}", told.settled_at().as_nanos());
    say(output, &lines).await
}

pub(crate) async fn say(output: &mut Stdout, lines: &str) -> Result<()> {
    output
        .write_all(lines.as_bytes())
        .await
        .context("telling the parent")?;
    output.flush().await.context("telling the parent")
}
