//! What can be asked for on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use outbox_test_harness::postgres::without_password;

/// Measures the outbox against floors that are written by hand and run in turn with it.
///
/// Each scenario prints a table, and with --json one JSON object. Figures of a busy machine are noise; ratios of one
/// run are what carries over.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// What all scenarios have in common.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// postgres or mysql (a private server, started and removed; mysql is whichever of MySQL and MariaDB is installed),
    /// sqlite (a new file, removed), or a URL: postgres://…, mysql://… (a database of its own is created there, and
    /// dropped) or sqlite:FILE (which must not exist yet)
    #[arg(long, global = true, default_value = "postgres", value_name = "URL")]
    pub(crate) database: DatabaseSpec,
    /// Scale everything down so that the scenario takes about this long, with all its phases. Default: its full size
    #[arg(long, global = true, value_name = "S", value_parser = seconds)]
    pub(crate) seconds: Option<f64>,
    /// Interleaved rounds of each side. Default: by scenario
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u64).range(5..))]
    pub(crate) rounds: Option<u64>,
    /// Print one JSON object on standard output; the table goes to standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Common {
    /// Rounds asked for, or the scenario's own number; `few` when the time is short.
    pub(crate) fn rounds_or(&self, default: usize, few: usize) -> usize {
        match (self.rounds, self.seconds) {
            (Some(rounds), _) => usize::try_from(rounds).unwrap_or(usize::MAX),
            (None, Some(seconds)) if seconds < Self::SHORT => few.min(default),
            (None, Some(_)) => default.min(Self::COMPARABLE),
            (None, None) => default,
        }
    }

    /// As few rounds as an interleaved comparison may have, but for a run that only shows that all works.
    const COMPARABLE: usize = 5;
    /// Seconds below which a run is of that kind.
    const SHORT: f64 = 30.0;

    /// The full size, or what fits into the time at so many a second (of the scenario's whole time).
    pub(crate) fn scaled(&self, full: u64, per_second: f64, at_least: u64) -> u64 {
        match self.seconds {
            None => full,
            Some(seconds) => ((seconds * per_second) as u64).clamp(at_least.min(full), full),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Transactions that publish, against the same transactions with a bare INSERT
    Publish(PublishArgs),
    /// Draining a backlog, against a bare loop of one SELECT and one DELETE per batch
    Relay(RelayArgs),
    /// The rate of draining while another session keeps dead rows from being vacuumed
    Bloat(BloatArgs),
    /// From commit to the relay's sink at a steady rate, against NOTIFY inside the transaction
    Latency(LatencyArgs),
    /// What a relay costs when nothing happens, and how soon it is there for the first message after that
    Idle,
    /// A relay's memory while a large backlog drains
    Memory(MemoryArgs),
    /// How throughput grows with the number of relay processes
    Scale(ScaleArgs),
    /// The durable queue: appending and consuming, against a bare log of multi-row INSERTs, SELECTs and a cursor row
    Queue(QueueArgs),
    /// Messages that take effect once, against the same transactions written by hand; one by one, and in batches
    Consume(ConsumeArgs),
    /// The relay's delivery to a message broker, against the broker's own client
    Broker(BrokerArgs),
    /// Duplicates told by the done mark in Redis, against a bare GET; with no database, whatever --database says
    Dedupe,
    /// A relay in a process of its own; started by scenarios
    #[command(hide = true)]
    RelayWorker(WorkerArgs),
    /// A member of a consumer group in a process of its own; started by scenarios
    #[command(hide = true)]
    QueueWorker(QueueWorkerArgs),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BrokerArgs {
    /// Which one; a private server of it is started
    #[arg(value_enum)]
    pub(crate) name: BrokerName,
    /// Settings of its URL for our side, as in `duplicate_window=0s&queues=4`
    #[arg(long, value_name = "SETTINGS")]
    pub(crate) with: Option<String>,
    /// Messages of a turn. Default: 50,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,
}

/// A message broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BrokerName {
    Kafka,
    Nats,
    Rabbitmq,
    Redis,
    Rocketmq,
}

impl BrokerName {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Nats => "nats",
            Self::Rabbitmq => "rabbitmq",
            Self::Redis => "redis",
            Self::Rocketmq => "rocketmq",
        }
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PublishArgs {
    /// Messages of one transaction
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) batch: u64,
    /// Clients, each with a connection. Default: 16, on SQLite 1 (it has one writer at a time)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) connections: Option<u32>,
    /// Compare an outbox with so many pending messages with an empty one, instead of with the bare INSERT
    #[arg(long, value_name = "N", conflicts_with_all = ["notify", "scope"])]
    pub(crate) pending: Option<u64>,
    /// Let our side tell relays in other processes by debounced NOTIFY (Postgres)
    #[arg(long)]
    pub(crate) notify: bool,
    /// Let our side use the `transaction(…)` scope, which asks the database once more before it commits, instead of
    /// `begin` and `commit`
    #[arg(long, conflicts_with = "batch")]
    pub(crate) scope: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RelayArgs {
    /// Messages to drain. Default: 200,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,
    /// This many hot keys, strict order, and a sink that answers after 0.2 ms. Default: all keys distinct, and a sink
    /// that does nothing
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keys: Option<u64>,
    /// With --keys: most publish calls in flight at the same time. Default: as many as keys
    #[arg(long, value_name = "N", requires = "keys", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) in_flight: Option<u64>,
    /// With --keys: most messages of one publish call
    #[arg(long, value_name = "N", requires = "keys", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sink_batch: u64,
    /// Let the bare loop's DELETE wait for the disk, as in a session with the server's defaults (Postgres). Default:
    /// it doesn't, because the relay's doesn't either
    #[arg(long)]
    pub(crate) durable_floor: bool,
    /// Compare the rates of several sizes of backlog with each other, such as 10000,1000000,5000000
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', num_args = 1.., conflicts_with_all = ["messages", "keys"])]
    pub(crate) backlog: Vec<u64>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct BloatArgs {
    /// Messages of one round. Default: 50,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(100..))]
    pub(crate) messages: Option<u64>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct LatencyArgs {
    /// Messages per second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) rate: u64,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct MemoryArgs {
    /// Messages to drain. Default: 5,000,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ScaleArgs {
    /// Messages to drain for each relay process. Default: 30,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,
}

#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("kind").args(["retained", "peak", "idle", "latency"])))]
pub(crate) struct QueueArgs {
    /// Messages of one round; with --peak, of the burst. Default: 200,000; 100,000 with --peak
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["idle", "latency"])]
    pub(crate) messages: Option<u64>,
    /// Most messages of one call of the batch handler that consumes through the runtime
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000), conflicts_with = "kind")]
    pub(crate) batch: u64,
    /// Let the bare reader's UPDATE wait for the disk, as in a session with the server's defaults (Postgres). Default:
    /// it doesn't, because a member's doesn't either
    #[arg(long, conflicts_with = "kind")]
    pub(crate) durable_floor: bool,
    /// Compare the rates with so many messages retained in the log with each other, such as 10000,10000000
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', num_args = 1..)]
    pub(crate) retained: Vec<u64>,
    /// A burst, consumed through the runtime with a rate limit: the rate that is kept, and memory
    #[arg(long)]
    pub(crate) peak: bool,
    /// What a member costs when nothing happens, and how soon it is there for the first message after that
    #[arg(long)]
    pub(crate) idle: bool,
    /// From the beginning of an append to the handler at a steady rate
    #[arg(long)]
    pub(crate) latency: bool,
    /// Messages per second: with --peak the limit, with --latency what is appended. Default: 1,000 and 500
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), conflicts_with_all = ["retained", "idle"])]
    pub(crate) rate: Option<u32>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ConsumeArgs {
    /// Messages of one transaction, where several are handled together
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    pub(crate) batch: u64,
    /// Clients, each with a connection. Default: 16, on SQLite 1 (it has one writer at a time)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) connections: Option<u32>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct QueueWorkerArgs {
    /// Hear of other processes' messages at once (Postgres)
    #[arg(long)]
    pub(crate) notifications: bool,
    /// Handle so many messages a second
    #[arg(long)]
    pub(crate) rate_limit: Option<u32>,
    /// Report when each message reached the handler
    #[arg(long)]
    pub(crate) each: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WorkerArgs {
    /// Listen for debounced NOTIFY
    #[arg(long)]
    pub(crate) listen: bool,
    /// The sink answers after so many microseconds; 0: at once
    #[arg(long, default_value_t = 0)]
    pub(crate) sink_micros: u64,
    /// Most messages of one publish call
    #[arg(long, default_value_t = 1_000)]
    pub(crate) sink_batch: usize,
    /// Report when each message reached the sink
    #[arg(long)]
    pub(crate) each: bool,
    /// How long its leases last
    #[arg(long, default_value_t = 15_000)]
    pub(crate) lease_millis: u64,
    /// How often it polls in silence
    #[arg(long, default_value_t = 200)]
    pub(crate) poll_idle_millis: u64,
}

/// Where to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DatabaseSpec {
    PrivatePostgres,
    PostgresUrl(String),
    PrivateMysql,
    MysqlUrl(String),
    TemporarySqlite,
    SqliteFile(PathBuf),
}

impl FromStr for DatabaseSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const USE: &str = "use postgres, mysql, sqlite, postgres://user@host:port/database, \
                           mysql://user@host:port/database or sqlite:FILE";
        match text {
            "postgres" => return Ok(Self::PrivatePostgres),
            "mysql" => return Ok(Self::PrivateMysql),
            "sqlite" => return Ok(Self::TemporarySqlite),
            _ => {}
        }
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match scheme {
            "postgres" | "postgresql" if rest.starts_with("//") => Ok(Self::PostgresUrl(text.to_owned())),
            "mysql" | "mariadb" if rest.starts_with("//") => Ok(Self::MysqlUrl(text.to_owned())),
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.starts_with(":memory:") || path.contains('?') {
                    return Err(
                        "a SQLite database has to be a plain new file here, because relays in other \
                                processes open it too: sqlite:FILE"
                            .to_owned(),
                    );
                }
                Ok(Self::SqliteFile(path.into()))
            }
            _ if text.contains("://") => Err(format!("the scheme {scheme:?} is unknown; {USE}")),
            _ => Err(format!("this is neither a kind of database nor a URL; {USE}")),
        }
    }
}

/// As it may be shown and reported: without a password.
impl std::fmt::Display for DatabaseSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PrivatePostgres => f.write_str("postgres"),
            Self::PrivateMysql => f.write_str("mysql"),
            Self::PostgresUrl(url) | Self::MysqlUrl(url) => f.write_str(&without_password(url)),
            Self::TemporarySqlite => f.write_str("sqlite"),
            Self::SqliteFile(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.1..=86_400.0).contains(seconds))
        .ok_or_else(|| "give a number of seconds from 0.1 to 86400".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn databases_are_told_apart_and_the_rest_is_refused_with_a_reason() {
        let of = |text: &str| text.parse::<DatabaseSpec>();
        assert_eq!(of("postgres"), Ok(DatabaseSpec::PrivatePostgres));
        assert_eq!(of("sqlite"), Ok(DatabaseSpec::TemporarySqlite));
        assert_eq!(
            of("sqlite:///tmp/x.db"),
            Ok(DatabaseSpec::SqliteFile("/tmp/x.db".into()))
        );
        assert_eq!(of("sqlite:x.db"), Ok(DatabaseSpec::SqliteFile("x.db".into())));
        let shown = of("postgres://u:secret@h/db").unwrap().to_string();
        assert_eq!(shown, "postgres://u:***@h/db");
        assert_eq!(of("mysql"), Ok(DatabaseSpec::PrivateMysql));
        let shown = of("mysql://u:secret@h/db").unwrap().to_string();
        assert_eq!(shown, "mysql://u:***@h/db");
        assert_eq!(
            of("mariadb://h/db"),
            Ok(DatabaseSpec::MysqlUrl("mariadb://h/db".to_owned()))
        );
        assert!(of("mariadb").unwrap_err().contains("neither"));
        assert!(of("sqlite::memory:").unwrap_err().contains("plain new file"));
        assert!(of("http://h").unwrap_err().contains("\"http\""));
        assert!(of("oracle").unwrap_err().contains("neither"));
    }

    #[test]
    fn sizes_follow_the_time() {
        let common = |seconds| Common {
            database: DatabaseSpec::TemporarySqlite,
            seconds,
            rounds: None,
            json: false,
        };
        assert_eq!(common(None).scaled(200_000, 1_000.0, 100), 200_000);
        assert_eq!(common(Some(5.0)).scaled(200_000, 1_000.0, 100), 5_000);
        assert_eq!(common(Some(0.1)).scaled(200_000, 100.0, 100), 100);
        assert_eq!(common(Some(5.0)).scaled(50, 1.0, 100), 50);
        assert_eq!(common(Some(5.0)).rounds_or(15, 3), 3);
        assert_eq!(common(Some(60.0)).rounds_or(15, 3), 5);
        assert_eq!(common(None).rounds_or(15, 3), 15);
    }
}
