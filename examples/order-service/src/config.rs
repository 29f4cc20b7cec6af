//! The command line and the environment: `DATABASE_URL` is all it takes to move the service to another database.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::backend::Settings;
use crate::faults::Faults;
use crate::messaging::queue::QueueKind;
use crate::role::{Role, Roles, default_roles};

/// Where data goes when nothing is said: a file in the working directory.
const DEFAULT_DATABASE: &str = "sqlite://order-service.db";

/// Main orders with a sub-order per merchant: modules that talk through a transactional outbox.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// For `serve`, when no command is named.
    #[command(flatten)]
    pub serve: ServeConfig,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service until SIGTERM or Ctrl-C.
    Serve(ServeConfig),
    /// Place orders by itself, wait until everything is at rest, and audit what came of it.
    ///
    /// Runs on a temporary SQLite file, or where DATABASE_URL leads: on Postgres in a schema of its own and on MySQL in a
    /// database of its own, which are dropped afterwards, on SQLite only in a file without orders and stock. Exits with
    /// 1 when a message was lost, an effect was applied twice, somebody was charged twice, the books don't balance, or it did
    /// not come to rest in time.
    Demo(DemoConfig),
}

/// Settings of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeConfig {
    /// `sqlite://file.db`, `postgres://user:password@host/database` or `mysql://user:password@host/database` [default:
    /// sqlite://order-service.db]
    // Neither its value nor its default is shown by clap: the help would print a password.
    #[arg(long, env, hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// What messages travel through: `database` (a durable queue in it), `memory`, or the URL of a broker: nats://, redis://
    #[arg(long, env, hide_env_values = true, value_name = "QUEUE", default_value = "database", value_parser = QueueKind::parse)]
    pub queue: QueueKind,
    /// Which parts to run, separated by commas [default: all but loyalty]
    #[arg(long, env, value_enum, value_delimiter = ',', value_name = "ROLES")]
    role: Vec<Role>,
    /// A Redis for the lock in front of the ledger: redis://, redis+cluster:// or redis+sentinel:// [default: a lock in
    /// memory]
    #[arg(long, env, hide_env_values = true, value_name = "URL")]
    redis_url: Option<String>,
    /// Seconds a buyer may take to pay, once his stock is set aside
    #[arg(long, env, default_value = "900", value_name = "SECONDS", value_parser = seconds)]
    pay_within: Duration,
    /// Seconds the carrier takes
    #[arg(long, env, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    transit: Duration,
    /// Seconds after its delivery by which a message has to be confirmed, before it is sent again
    #[arg(long, env, default_value = "30", value_name = "SECONDS", value_parser = confirm_seconds)]
    confirm_within: Duration,
    /// Messages a second that each consumer handles at most [default: as fast as they go]
    #[arg(long, env, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub consumer_rate: Option<u32>,
    /// Whether things can be made to go wrong, over HTTP and on the page [default: where BIND is a loopback address]
    #[arg(long, env, value_name = "BOOL")]
    playground: Option<bool>,
    /// Where to take HTTP requests; port 0 is any free one
    #[arg(long, env, default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    pub bind: SocketAddr,
    /// Seconds between `/readyz` saying 503 and the end: a little more than your load balancer's interval
    #[arg(long, env, default_value = "0", value_name = "SECONDS", value_parser = seconds)]
    pub drain_notice: Duration,
    /// Log as JSON
    #[arg(long)]
    pub json: bool,
}

impl ServeConfig {
    /// Where the data is.
    pub fn database_url(&self) -> &str {
        non_empty(self.database_url.as_deref()).unwrap_or(DEFAULT_DATABASE)
    }

    /// Which parts to run.
    pub fn roles(&self) -> Roles {
        match self.role.is_empty() {
            true => default_roles(),
            false => self.role.iter().copied().collect(),
        }
    }

    /// Whether the playground is there.
    pub fn playground(&self) -> bool {
        self.playground.unwrap_or(self.bind.ip().is_loopback())
    }

    /// What the modules are told.
    pub fn settings(&self) -> Settings {
        Settings {
            pay_within: self.pay_within,
            transit: self.transit,
            confirm_within: self.confirm_within,
            redis_url: non_empty(self.redis_url.as_deref()).map(str::to_owned),
            faults: Faults::new(),
        }
    }
}

/// Settings of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoConfig {
    /// Where to run instead of on a temporary SQLite file
    #[arg(long, env, hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// What messages travel through: `database` (a durable queue in it), `memory`, or the URL of a broker: nats://, redis://
    #[arg(long, env, hide_env_values = true, value_name = "QUEUE", default_value = "database", value_parser = QueueKind::parse)]
    pub queue: QueueKind,
    /// How many orders to place
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub orders: u32,
    /// Orders per second [default: as fast as they go]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Option<u32>,
    /// The same seed places the same orders
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Seconds without any progress after which it is given up
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub patience: Duration,
    /// Run every role in a process of its own, kill them at random moments, and lose answers of the payment provider
    #[arg(long)]
    pub faults: bool,
    /// Print one line of JSON instead of the summary
    #[arg(long)]
    pub json: bool,
}

impl DemoConfig {
    /// Where to run, if it was said.
    pub fn database_url(&self) -> Option<&str> {
        non_empty(self.database_url.as_deref())
    }
}

/// An empty variable is one that is not set.
fn non_empty(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "must be a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "must be 0 or more seconds".to_owned())
}

/// A deadline that a message can ask for.
fn confirm_seconds(text: &str) -> Result<Duration, String> {
    let span = seconds(text)?;
    if span < Duration::from_millis(1) || span > Duration::from_secs(365 * 86_400) {
        return Err("must be a millisecond to a year".to_owned());
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_what_it_does_unless_told_otherwise() {
        let cli = Cli::try_parse_from(["order-service", "--bind", "127.0.0.1:0", "--json"]).unwrap();
        assert!(cli.command.is_none() && cli.serve.json);
        let cli = Cli::try_parse_from(["order-service", "demo", "--orders", "7"]).unwrap();
        assert!(matches!(
            cli.command,
            Some(Command::Demo(DemoConfig { orders: 7, .. }))
        ));
    }
}
