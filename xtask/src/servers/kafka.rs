//! Kafka for a test run, from the official jars. Each test starts its own server or shares one with its binary.

use std::fs;
use std::path::Path;

use anyhow::Result;
use outbox_test_harness::{Kafka, KafkaBinaries, KafkaOptions, requirement};

use super::jars::{self, Jar};
use crate::apt;

/// The server, and what prints its log.
const JARS: [Jar; 2] = [
    ("org.apache.kafka:kafka_2.13", KafkaBinaries::VERSION),
    ("org.slf4j:slf4j-simple", "1.7.36"),
];

/// What the tests' client needs to be compiled with OpenSSL.
const OPENSSL: [&str; 2] = ["libssl-dev", "pkg-config"];

/// Installs and fetches what is missing, if it may.
pub(super) fn provide() {
    // As the tests are compiled, so is this. Where it can't be installed, compiling says what is missing.
    if cfg!(kafka_tls)
        && !Path::new("/usr/include/openssl/ssl.h").exists()
        && apt::obstacle().is_none()
        && let Err(error) = apt::install(&OPENSSL)
    {
        eprintln!("OpenSSL could not be installed: {error:#}");
    }
    if requirement::kafka_program().is_err() {
        jars::provide("Kafka", &KafkaBinaries::cache_folder(), &JARS, archive_classes);
    }
}

/// Says what there is.
pub(super) fn say() {
    match requirement::kafka_program() {
        Ok(found) => println!(
            "  Kafka: {} at {}",
            KafkaBinaries::VERSION,
            found.jars().display()
        ),
        Err(missing) => println!("  Kafka: none ({})", missing.reason),
    }
}

/// Keeps the classes that a server loads as later ones load them: they start in two thirds of the time.
fn archive_classes() -> Result<()> {
    let found = KafkaBinaries::find()?;
    // The server runs as a user that may not write beside the jars.
    let name = "classes.jsa";
    let mut server = Kafka::start_with(&KafkaOptions::new().archive_classes(Path::new(name)))?;
    server.stop()?;
    fs::copy(server.data_folder().join(name), found.archive_of_classes())?;
    Ok(())
}
