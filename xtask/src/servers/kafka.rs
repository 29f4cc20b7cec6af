//! Kafka for a test run: Java from packages, the server from the official jars, which are fetched once. Each test starts its own
//! server or shares one with its binary.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use outbox_test_harness::{Kafka, KafkaBinaries, KafkaOptions, requirement};

use super::install;

/// What is fetched: the server, and what prints its log.
const WANTED: [&str; 2] = ["org.apache.kafka:kafka_2.13", "org.slf4j:slf4j-simple"];
/// The version of what the server logs through.
const LOGS: &str = "1.7.36";

/// Installs and fetches what is missing, if it may.
pub(super) fn provide() {
    if requirement::kafka_program().is_ok() {
        return;
    }
    let (java, maven) = (runs("java", "-version"), runs("mvn", "-version"));
    if !java {
        install("Java", &["openjdk-17-jre-headless"]);
    }
    if !maven {
        install("Maven", &["maven"]);
    }
    if let Err(error) = fetch(&KafkaBinaries::cache_folder()) {
        // Not the end: what is missing now is listed as left out, and with REQUIRE_ALL=1 that fails the run.
        eprintln!("Kafka could not be fetched: {error:#}");
    } else if let Err(error) = archive_classes() {
        eprintln!("Kafka starts slower than it could: {error:#}");
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

fn runs(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Fetches the jars with Maven into a folder that is there as a whole or not at all.
fn fetch(folder: &Path) -> Result<()> {
    eprintln!("Fetching Kafka {} (Maven) …", KafkaBinaries::VERSION);
    let parent = folder.parent().context("the folder has no parent")?;
    fs::create_dir_all(parent)?;
    let work = empty_folder(parent)?;
    let [server, logs] = [(WANTED[0], KafkaBinaries::VERSION), (WANTED[1], LOGS)].map(dependency);
    let project = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>outbox</groupId><artifactId>kafka-for-tests</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies>{server}{logs}</dependencies></project>"
    );
    fs::write(work.join("pom.xml"), project)?;
    let mut maven = Command::new("mvn");
    maven
        .args(["--batch-mode", "--quiet", "dependency:copy-dependencies"])
        .args(["-DincludeScope=runtime", "-DoutputDirectory=jars"])
        .current_dir(&work)
        .stdin(Stdio::null());
    let output = maven.output().context("Maven can't be run")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        bail!("Maven failed with {}:\n{said}", output.status);
    }
    let _ = fs::remove_dir_all(folder);
    fs::rename(work.join("jars"), folder)?;
    fs::remove_dir_all(work)?;
    Ok(())
}

fn dependency((wanted, version): (&str, &str)) -> String {
    let (group, artifact) = wanted.split_once(':').unwrap_or((wanted, ""));
    format!(
        "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
    )
}

/// An empty folder in this one.
fn empty_folder(parent: &Path) -> Result<std::path::PathBuf> {
    let folder = parent.join(format!("fetching-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
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
