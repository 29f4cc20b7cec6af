//! The parent's side of [`crate::worker`].

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use uuid::Uuid;

use crate::database::Database;
use crate::worker::URL_VARIABLE;

/// A worker that says nothing for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(120);

/// How to run a relay in a process of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WorkerSetup {
    /// Listen for debounced NOTIFY.
    pub(crate) listen: bool,
    /// The sink answers after this long, for so many messages at once, one call at a time.
    pub(crate) sink: Option<(Duration, usize)>,
    /// Report each message.
    pub(crate) each: bool,
    /// How long leases last.
    pub(crate) lease: Option<Duration>,
    /// How often to poll in silence.
    pub(crate) poll_idle: Option<Duration>,
}

/// How to run a member of a consumer group in a process of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MemberSetup {
    /// Hear of other processes' messages at once.
    pub(crate) notifications: bool,
    /// Handle so many messages a second.
    pub(crate) rate_limit: Option<u32>,
    /// Report each message.
    pub(crate) each: bool,
}

/// A relay or a member of a consumer group, in a process of its own. Killed with the value.
#[derive(Debug)]
pub(crate) struct Worker {
    pid: u32,
    child: Child,
    commands: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    settled: u64,
    settled_at: Duration,
}

/// What a worker says.
#[derive(Debug)]
enum Line {
    Ready,
    Settled(u64, Duration),
    Message(Uuid, Duration),
    Stats { statements: u64 },
    Stopped,
}

impl Worker {
    /// Starts one, and waits until it has its shards and has begun to read.
    pub(crate) async fn start(database: &Database, setup: WorkerSetup) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(program);
        command.arg("relay-worker");
        if setup.listen {
            command.arg("--listen");
        }
        if let Some((delay, batch)) = setup.sink {
            command.args(["--sink-micros", &delay.as_micros().to_string()]);
            command.args(["--sink-batch", &batch.to_string()]);
        }
        if setup.each {
            command.arg("--each");
        }
        if let Some(lease) = setup.lease {
            command.args(["--lease-millis", &lease.as_millis().to_string()]);
        }
        if let Some(poll_idle) = setup.poll_idle {
            command.args(["--poll-idle-millis", &poll_idle.as_millis().to_string()]);
        }
        Self::spawn(database, command).await
    }

    /// Starts a member of a consumer group, and waits until it has subscribed.
    pub(crate) async fn start_member(database: &Database, setup: MemberSetup) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(program);
        command.arg("queue-worker");
        if setup.notifications {
            command.arg("--notifications");
        }
        if let Some(limit) = setup.rate_limit {
            command.args(["--rate-limit", &limit.to_string()]);
        }
        if setup.each {
            command.arg("--each");
        }
        Self::spawn(database, command).await
    }

    async fn spawn(database: &Database, mut command: Command) -> Result<Self> {
        command
            .env(URL_VARIABLE, &database.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().context("starting a worker process")?;
        let output = child.stdout.take().context("a worker process without output")?;
        let mut worker = Self {
            pid: child.id().context("a worker process that has ended already")?,
            commands: child.stdin.take(),
            child,
            lines: BufReader::new(output).lines(),
            settled: 0,
            settled_at: Duration::ZERO,
        };
        match worker.line().await? {
            Line::Ready => Ok(worker),
            other => bail!("a worker process began with {other:?}"),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// How many messages it is known to have settled, and when the last.
    pub(crate) fn settled(&self) -> (u64, Duration) {
        (self.settled, self.settled_at)
    }

    /// Reads on until so many messages are settled. Returns when the last one was, by the shared clock.
    pub(crate) async fn until_settled(&mut self, messages: u64) -> Result<Duration> {
        while self.settled < messages {
            self.line().await?;
        }
        Ok(self.settled_at)
    }

    /// Reads on until something more is settled.
    pub(crate) async fn until_progress(&mut self) -> Result<()> {
        let before = self.settled;
        while self.settled == before {
            self.line().await?;
        }
        Ok(())
    }

    /// Reads on until a message reached the sink. Returns when.
    pub(crate) async fn until_message(&mut self, id: Uuid) -> Result<Duration> {
        loop {
            if let Line::Message(arrived, at) = self.line().await?
                && arrived == id
            {
                return Ok(at);
            }
        }
    }

    /// How many statements its relay has sent.
    pub(crate) async fn statements(&mut self) -> Result<u64> {
        let commands = self.commands.as_mut().context("a worker process without input")?;
        commands
            .write_all(b"stats\n")
            .await
            .context("asking a worker process")?;
        commands.flush().await.context("asking a worker process")?;
        loop {
            if let Line::Stats { statements } = self.line().await? {
                return Ok(statements);
            }
        }
    }

    /// Lets it finish what it does, give back its shards and end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        drop(self.commands.take());
        while !matches!(self.line().await?, Line::Stopped) {}
        let status = self.child.wait().await.context("waiting for a worker process")?;
        if status.success() {
            Ok(())
        } else {
            Err(anyhow!("a worker process ended with {status}"))
        }
    }

    async fn line(&mut self) -> Result<Line> {
        let line = tokio::time::timeout(STUCK_AFTER, self.lines.next_line())
            .await
            .with_context(|| format!("a worker process said nothing for {STUCK_AFTER:?}"))?
            .context("listening to a worker process")?
            .context("a worker process ended early; what it said is above")?;
        let parsed = parse(&line).with_context(|| format!("a worker process said {line:?}"))?;
        if let Line::Settled(messages, at) = parsed {
            (self.settled, self.settled_at) = (messages, at);
        }
        Ok(parsed)
    }
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let nanos = |words: &mut std::str::Split<'_, char>| words.next()?.parse().ok().map(Duration::from_nanos);
    Some(match words.next()? {
        "ready" => Line::Ready,
        "settled" => Line::Settled(words.next()?.parse().ok()?, nanos(&mut words)?),
        "message" => Line::Message(words.next()?.parse().ok()?, nanos(&mut words)?),
        "stats" => Line::Stats {
            statements: words.next()?.parse().ok()?,
        },
        "stopped" => Line::Stopped,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_or_refused() {
        assert!(matches!(parse("ready"), Some(Line::Ready)));
        assert!(
            matches!(parse("settled 7 1000"), Some(Line::Settled(7, at)) if at == Duration::from_micros(1))
        );
        let id = Uuid::now_v7();
        assert!(matches!(parse(&format!("message {id} 5")), Some(Line::Message(found, _)) if found == id));
        assert!(matches!(parse("stats 3 4"), Some(Line::Stats { statements: 3 })));
        assert!(parse("settled x 1").is_none());
        assert!(parse("hello").is_none());
    }
}
