//! What a test needs from the machine, and what becomes of a test whose need can't be met.
//!
//! A server comes from the first of these that there is:
//!
//! 1. a URL in the environment ([`environment::POSTGRES_URL`], [`environment::MYSQL_URL`],
//!    [`environment::REDIS_URL`]); `cargo xtask test` sets it for a server it started,
//! 2. a container, where `cargo xtask test` found an engine ([`environment::CONTAINERS`]),
//! 3. server programs on the machine, started as a private instance.
//!
//! A test that finds none is *left out*: under `cargo xtask test` that is written down, listed at the end, and with
//! `REQUIRE_ALL=1` a failure. Under a plain `cargo test` nobody would see the list, so the test fails at once and says
//! what to run. Nothing is skipped in silence.
//!
//! ```
//! use outbox_test_harness::requirement;
//!
//! fn my_test() {
//!     let Some(database) = requirement::shared_postgres_database() else { return };
//!     println!("{}", database.url());
//! }
//! ```

mod browser;
mod kafka;
mod mysql;
mod nats;
mod postgres;
mod rabbitmq;
mod redis;
mod rocketmq;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::container::ContainerImage;
use crate::container::protocol::Kind;
use crate::{HarnessError, environment, output};

pub use browser::{browser, browser_programs};
pub use kafka::{kafka_program, private_kafka, shared_kafka_url};
pub use mysql::{
    MysqlSource, mysql, mysql_client, private_mysql, shared_mysql_database, shared_mysql_options,
};
pub use nats::{nats_program, private_nats};
pub use postgres::{
    PostgresSource, postgres, private_postgres, psql, shared_postgres_database, shared_postgres_options,
};

pub use rabbitmq::{private_rabbitmq, rabbitmq_program, shared_rabbitmq_url};
pub use redis::{
    RedisSource, private_redis, private_redis_cluster, private_redis_failover, redis, shared_redis_options,
    shared_redis_url,
};
pub use rocketmq::{private_rocketmq, rocketmq_program, shared_rocketmq_url};

/// Tests of one binary run at once, each with a pool or two.
const SHARED_MAX_CONNECTIONS: u32 = 300;

/// Where a server can come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source<B> {
    /// A server that is already running.
    Url(String),
    /// The image of one, where a container engine is.
    Container(String),
    /// Programs to start one with.
    Native(B),
}

/// Something a test needs and the machine doesn't have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What is needed, as it stands in `tests/allowed-left-out.toml`: `postgres`, `private-postgres`, `psql`,
    /// `mysql`, `private-mysql`, `mysql-client`, `redis`, `private-redis`, `redis-cluster`, `redis-sentinel`, `nats`, `rabbitmq`, `kafka`,
    /// `rocketmq`, `browser`.
    pub name: String,
    /// Why it can't be had.
    pub reason: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// Writes down that the calling test did not do its work, under the name that `tests/allowed-left-out.toml` knows.
///
/// # Panics
///
/// Outside of `cargo xtask test`, where nobody would see it.
pub fn left_out(name: &str, reason: &str) {
    let Some(list) = environment::non_empty(environment::LEFT_OUT) else {
        panic!(
            "{name} is needed: {reason}. Run `cargo xtask test`, which provides what it can and lists the rest."
        );
    };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("an unnamed thread");
    append_left_out(Path::new(&list), name, test, reason).unwrap_or_else(|error| {
        panic!("{name} was left out ({reason}), but {list} can't be written: {error}")
    });
}

/// Appends one entry to a list of what was left out: name, test and reason, separated by tabs, in one write.
///
/// # Errors
///
/// When the file can't be written.
pub fn append_left_out(list: &Path, name: &str, test: &str, reason: &str) -> std::io::Result<()> {
    let field = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("{}\t{}\t{}\n", field(name), field(test), field(reason));
    output::append(list)?.write_all(line.as_bytes())
}

fn or_leave_out<T>(needed: Result<T, LeftOut>) -> Option<T> {
    needed
        .inspect_err(|missing| left_out(&missing.name, &missing.reason))
        .ok()
}

/// A URL from the environment, or what `find` finds.
fn source<B>(
    name: &str,
    url_variable: &str,
    kind: Kind,
    find: impl FnOnce() -> Result<B, HarnessError>,
) -> Result<Source<B>, LeftOut> {
    if let Some(url) = environment::non_empty(url_variable) {
        return Ok(Source::Url(url));
    }
    if let Some(image) = ContainerImage::chosen(kind) {
        return Ok(Source::Container(image.image));
    }
    find().map(Source::Native).map_err(|error| LeftOut {
        name: name.to_owned(),
        reason: format!("{error}, and {url_variable} is not set"),
    })
}

/// Something to be killed, which only what we start can be.
fn to_be_killed<T>(
    name: &str,
    kind: Kind,
    find: impl FnOnce() -> Result<T, HarnessError>,
) -> Result<(), LeftOut> {
    if ContainerImage::chosen(kind).is_some() {
        return Ok(());
    }
    find().map(drop).map_err(|error| LeftOut {
        name: name.to_owned(),
        reason: format!("{error}; a server that a test may kill can't come from a URL"),
    })
}

/// A program that tests call.
fn program<T>(name: &str, found: Result<T, HarnessError>) -> Result<T, LeftOut> {
    found.map_err(|error| LeftOut {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}

/// Outside of xtask, a test binary shares one server of its own, started when first asked for. It is never dropped: it
/// ends with the process, and its folder is swept by a later one.
fn own_shared_server<S>(
    slot: &Mutex<Option<S>>,
    start: impl FnOnce() -> Result<S, HarnessError>,
    url: impl FnOnce(&S) -> String,
) -> Result<String, HarnessError> {
    let mut server = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if server.is_none() {
        *server = Some(start()?);
    }
    server
        .as_ref()
        .map(url)
        .ok_or_else(|| HarnessError::BadInput("no server".to_owned()))
}
