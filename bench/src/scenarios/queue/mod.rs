//! `queue`: the durable queue in the SQL database. Without anything else: [`throughput`]. What else can be asked:
//! [`retained`] (`--retained`), [`peak`] (`--peak`), [`idle`] (`--idle`) and [`latency`] (`--latency`).

mod idle;
mod latency;
mod ours;
mod peak;
mod retained;
mod throughput;

use anyhow::Result;
use sqlx::{MySql, Postgres, Sqlite};

use crate::cli::{Common, QueueArgs};
use crate::database::{Kind, Server};
use crate::floor::log::BareLog;
use crate::report::Report;

/// How many queues the topic has.
const QUEUES: u32 = 8;
/// Over how many keys the messages are spread.
const KEYS: u64 = 1_000;
/// Messages of one call of the publisher, and of the subscriber: the most that either takes.
const BATCH: usize = 1_000;

pub(crate) async fn run(common: &Common, args: &QueueArgs, server: &mut Server) -> Result<Report> {
    match server.kind() {
        Kind::Postgres => on::<Postgres>(common, args, server).await,
        Kind::Mysql => on::<MySql>(common, args, server).await,
        Kind::Sqlite => on::<Sqlite>(common, args, server).await,
    }
}

async fn on<E: BareLog>(common: &Common, args: &QueueArgs, server: &mut Server) -> Result<Report> {
    if !args.retained.is_empty() {
        retained::run::<E>(common, args, server).await
    } else if args.peak {
        peak::run::<E>(common, args, server).await
    } else if args.idle {
        idle::run::<E>(common, server).await
    } else if args.latency {
        latency::run::<E>(common, args, server).await
    } else {
        throughput::run::<E>(common, args, server).await
    }
}
