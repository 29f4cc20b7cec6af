//! Redis for a test run.

use anyhow::Result;
use outbox_test_harness::container::ContainerImage;
use outbox_test_harness::container::protocol::Kind;
use outbox_test_harness::{Redis, RedisBinaries, RedisClient, environment, requirement};

use super::install;
use super::shared::{Shared, Started, Supply};
use crate::containers::Containers;

const SERVER: &str = "redis-server";

const SUPPLY: Supply<'_, Redis> = Supply {
    kind: Kind::Redis,
    name: "Redis",
    variable: environment::REDIS_URL,
    start: &start,
    check: &check,
    install: &install_missing,
    programs: &programs,
    // The harness speaks to it itself.
    client: None,
};

pub(super) fn provide(containers: &Containers) -> Result<Shared<Redis>> {
    SUPPLY.provide(containers)
}

pub(super) fn in_image(containers: &Containers, image: &str) -> Result<Shared<Redis>> {
    SUPPLY.in_image(containers, image)
}

/// Clusters and sentinels are started from the program also where there are containers.
fn install_missing(_programs_too: bool) {
    if RedisBinaries::find().is_err() {
        install("Redis", &[SERVER]);
    }
}

fn start(container: Option<ContainerImage>) -> Result<Started<Redis>> {
    let options = requirement::shared_redis_options();
    let server = Redis::start_with(&match container {
        Some(image) => options.container(image),
        None => options,
    })?;
    Ok(Started {
        version: server.version().to_owned(),
        url: server.url(),
        server,
    })
}

fn check(url: &str) -> Result<()> {
    RedisClient::connect(url)?.run(&["PING"])?;
    Ok(())
}

fn programs() -> Result<String> {
    let found = RedisBinaries::find()?;
    Ok(format!("{} in {}", found.version(), found.server().display()))
}
