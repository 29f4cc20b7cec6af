//! RocketMQ for a test run, from the official jars. Each test starts its own server or shares one with its binary.

use std::fs;
use std::path::Path;

use anyhow::Result;
use outbox_test_harness::{RocketMq, RocketMqBinaries, RocketMqOptions, requirement};

use super::jars::{self, Jar};

/// Name server, broker and proxy, which are run in one process.
const JARS: [Jar; 3] = [
    ("org.apache.rocketmq:rocketmq-namesrv", RocketMqBinaries::VERSION),
    ("org.apache.rocketmq:rocketmq-broker", RocketMqBinaries::VERSION),
    ("org.apache.rocketmq:rocketmq-proxy", RocketMqBinaries::VERSION),
];

/// Installs and fetches what is missing, if it may.
pub(super) fn provide() {
    if requirement::rocketmq_program().is_err() {
        jars::provide(
            "RocketMQ",
            &RocketMqBinaries::cache_folder(),
            &JARS,
            archive_classes,
        );
    }
}

/// Says what there is.
pub(super) fn say() {
    match requirement::rocketmq_program() {
        Ok(found) => println!(
            "  RocketMQ: {} at {}",
            RocketMqBinaries::VERSION,
            found.jars().display()
        ),
        Err(missing) => println!("  RocketMQ: none ({})", missing.reason),
    }
}

/// Keeps the classes that a server loads as later ones load them: they start in half the time.
fn archive_classes() -> Result<()> {
    let found = RocketMqBinaries::find()?;
    // The server runs as a user that may not write beside the jars.
    let name = "classes.jsa";
    let mut server = RocketMq::start_with(&RocketMqOptions::new().archive_classes(Path::new(name)))?;
    server.stop()?;
    fs::copy(server.data_folder().join(name), found.archive_of_classes())?;
    Ok(())
}
