//! The service as processes of this same program, one per role and two for orders, which can be killed.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::shop::{Door, Shop};
use super::{PAY_WITHIN, TRANSIT};
use crate::messaging::queue::QueueKind;

/// How long a process may take until it takes requests.
const START: Duration = Duration::from_secs(30);
/// How long after its delivery a message has to be confirmed, before it is sent again: longer than it takes until the next
/// process has what a killed one had in its hands, and has handled what lay before it.
const CONFIRM_WITHIN: Duration = Duration::from_secs(30);

/// Name, role, and whether it takes orders. The relay comes last: messages wait for groups in the outbox.
const WORKERS: [(&str, &str); 7] = [
    ("orders-1", ORDERS),
    ("orders-2", ORDERS),
    (INVENTORY, INVENTORY),
    (PAYMENT, PAYMENT),
    ("shipping", "shipping"),
    ("loyalty", "loyalty"),
    (RELAY, RELAY),
];
const ORDERS: &str = "orders";
const INVENTORY: &str = "inventory";
pub(super) const PAYMENT: &str = "payment";
pub(super) const RELAY: &str = "relay";

/// Variables that would change what the processes do.
const NOT_THEIRS: [&str; 8] = [
    "BIND",
    "CONSUMER_RATE",
    "CONFIRM_WITHIN",
    "DRAIN_NOTICE",
    "PLAYGROUND",
    "QUEUE",
    "REDIS_URL",
    "ROLE",
];

/// All processes. They are killed when it is dropped.
pub(super) struct Fleet {
    program: PathBuf,
    url: String,
    queue: QueueKind,
    logs: PathBuf,
    pub(super) workers: Vec<Worker>,
}

/// A process, or the place for one.
pub(super) struct Worker {
    pub(super) name: &'static str,
    pub(super) role: &'static str,
    pub(super) door: Door,
    running: Option<Running>,
}

struct Running {
    child: Child,
    /// Kept open, so that nobody who writes to it fails.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Fleet {
    /// Starts all of them on the database at `url`. They write what they log into the folder `logs`.
    ///
    /// # Errors
    /// One of them does not start.
    pub(super) async fn start(url: &str, queue: &QueueKind, logs: &Path) -> anyhow::Result<Self> {
        let worker = |(name, role)| Worker {
            name,
            role,
            door: Door::default(),
            running: None,
        };
        let mut fleet = Self {
            program: std::env::current_exe().context("looking for this program")?,
            url: url.to_owned(),
            queue: queue.clone(),
            logs: logs.to_owned(),
            workers: WORKERS.map(worker).into(),
        };
        for index in 0..fleet.workers.len() {
            fleet.start_again(index).await?;
        }
        Ok(fleet)
    }

    /// Where orders are placed.
    pub(super) fn shop(&self) -> Shop {
        let orders = self.workers.iter().filter(|worker| worker.role == ORDERS);
        Shop::new(orders.map(|worker| worker.door.clone()).collect())
    }

    /// Where stock is put.
    pub(super) fn warehouse(&self) -> Door {
        let inventory = self.workers.iter().find(|worker| worker.role == INVENTORY);
        inventory.map(|worker| worker.door.clone()).unwrap_or_default()
    }

    /// Starts one that does not run, and returns when it takes requests.
    ///
    /// # Errors
    /// It does not start.
    pub(super) async fn start_again(&mut self, index: usize) -> anyhow::Result<()> {
        let worker = &mut self.workers[index];
        let log = self.logs.join(format!("{}.log", worker.name));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .context("opening a log")?;
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--role", worker.role])
            .args(["--bind", "127.0.0.1:0", "--playground", "true"])
            .args(["--pay-within", &seconds(PAY_WITHIN)])
            .args(["--transit", &seconds(TRANSIT)])
            .args(["--confirm-within", &seconds(CONFIRM_WITHIN)]);
        for variable in NOT_THEIRS {
            command.env_remove(variable);
        }
        // Not as arguments: everybody on the machine can read those.
        command
            .env("DATABASE_URL", &self.url)
            .env("QUEUE", self.queue.argument());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("starting a process of this program")?;
        let output = child.stdout.take().context("a process without an output")?;
        let mut lines = BufReader::new(output).lines();
        let address = timeout(START, listening(&mut lines))
            .await
            .unwrap_or_else(|_| bail!("it took longer than {START:?}"))
            .with_context(|| format!("{} did not start", worker.name))?;
        worker.door.open(address);
        worker.running = Some(Running {
            child,
            _output: lines,
        });
        Ok(())
    }

    /// Kills one, as by `kill -9`, and returns when it is dead.
    ///
    /// # Errors
    /// It had ended before, by itself.
    pub(super) async fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        let worker = &mut self.workers[index];
        worker.door.close();
        let Some(mut running) = worker.running.take() else {
            return Ok(());
        };
        if let Some(status) = running.child.try_wait()? {
            bail!("{} ended by itself: {status}", worker.name);
        }
        running.child.kill().await.context("killing a process")
    }
}

async fn listening(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<SocketAddr> {
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix("listening on http://") {
            return Ok(address.parse()?);
        }
    }
    bail!("it ended before it took requests")
}

fn seconds(time: Duration) -> String {
    time.as_secs_f64().to_string()
}
