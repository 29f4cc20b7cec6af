//! Makes the servers available that tests need.

mod browser;
mod jars;
mod kafka;
mod mysql;
mod nats;
mod postgres;
mod rabbitmq;
mod redis;
mod rocketmq;
mod shared;

use std::ffi::OsString;

use anyhow::Result;
use outbox_test_harness::container::protocol::Kind;
use outbox_test_harness::{Mysql, Postgres, Redis};

use crate::apt;
use crate::containers::Containers;

pub(crate) use mysql::private_mysql;
pub(crate) use postgres::private_postgres;
use shared::Shared;

/// The servers of one test run; they end with this value.
#[derive(Debug)]
pub(crate) struct Servers {
    containers: Containers,
    postgres: Shared<Postgres>,
    mysql: Shared<Mysql>,
    redis: Shared<Redis>,
}

impl Servers {
    /// Finds or starts what there is, says what it uses, and installs what is missing if it may. What can't be had is
    /// no error here: the tests that need it write down that they were left out.
    pub(crate) fn provide() -> Result<Self> {
        let containers = Containers::find()?;
        let postgres = postgres::provide(&containers)?;
        let mysql = mysql::provide(&containers)?;
        let redis = redis::provide(&containers)?;
        nats::provide();
        rabbitmq::provide();
        kafka::provide();
        rocketmq::provide();
        browser::provide();
        println!("Servers:");
        postgres.say();
        mysql.say();
        redis.say();
        nats::say();
        rabbitmq::say();
        kafka::say();
        rocketmq::say();
        browser::say();
        Ok(Self {
            containers,
            postgres,
            mysql,
            redis,
        })
    }

    /// How tests find all this.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let (name, helper) = self.containers.variable();
        let mut variables = vec![(name, helper.into())];
        variables.extend(self.postgres.environment());
        variables.extend(self.mysql.environment());
        variables.extend(self.redis.environment());
        variables
    }

    /// The same with another image for one kind of server, and one of its servers started. An error says why it can't
    /// be had.
    pub(crate) fn in_place_of(&self, kind: Kind, image: &str) -> Result<InPlace> {
        Ok(match kind {
            Kind::Postgres => InPlace::Postgres(postgres::in_image(&self.containers, image)?),
            Kind::Mysql => InPlace::Mysql(mysql::in_image(&self.containers, image)?),
            Kind::Redis => InPlace::Redis(redis::in_image(&self.containers, image)?),
        })
    }

    /// The image that a plain run uses; `None` when the server isn't in a container.
    pub(crate) fn image(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::Postgres => self.postgres.image.as_deref(),
            Kind::Mysql => self.mysql.image.as_deref(),
            Kind::Redis => self.redis.image.as_deref(),
        }
    }
}

/// A server of another version.
#[derive(Debug)]
pub(crate) enum InPlace {
    Postgres(Shared<Postgres>),
    Mysql(Shared<Mysql>),
    Redis(Shared<Redis>),
}

impl InPlace {
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        match self {
            Self::Postgres(shared) => shared.environment(),
            Self::Mysql(shared) => shared.environment(),
            Self::Redis(shared) => shared.environment(),
        }
    }
}

// Speaks on standard error: the standard output of `with-postgres` is that of its command.
fn install(name: &str, packages: &[&str]) {
    if let Some(obstacle) = apt::obstacle() {
        eprintln!(
            "{name}'s programs are missing; {obstacle}: install {} yourself.",
            packages.join(" and ")
        );
    } else if let Err(error) = apt::install(packages) {
        // Not the end: what is missing now is listed as left out, and with REQUIRE_ALL=1 that fails the run.
        eprintln!("{name} could not be installed: {error:#}");
    }
}
