//! Servers that run in Java: Java and Maven from packages, the official jars by Maven, fetched once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::install;

/// A jar that is wanted with all that it needs: group and artifact with a colon between them, and the version.
pub(super) type Jar = (&'static str, &'static str);

/// Installs and fetches what is missing, if it may, and keeps the classes that a server loads, as `archive_classes` does it, for
/// later servers to start faster.
pub(super) fn provide(
    server: &str,
    folder: &Path,
    jars: &[Jar],
    archive_classes: impl FnOnce() -> Result<()>,
) {
    let (java, maven) = (runs("java", "-version"), runs("mvn", "-version"));
    if !java {
        install("Java", &["openjdk-17-jre-headless"]);
    }
    if !maven {
        install("Maven", &["maven"]);
    }
    eprintln!("Fetching {server} (Maven) …");
    if let Err(error) = fetch(folder, jars) {
        // Not the end: what is missing now is listed as left out, and with REQUIRE_ALL=1 that fails the run.
        eprintln!("{server} could not be fetched: {error:#}");
    } else if let Err(error) = archive_classes() {
        eprintln!("{server} starts slower than it could: {error:#}");
    }
}

fn runs(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Fetches the jars with Maven into a folder that is there as a whole or not at all.
fn fetch(folder: &Path, jars: &[Jar]) -> Result<()> {
    let parent = folder.parent().context("the folder has no parent")?;
    fs::create_dir_all(parent)?;
    let work = empty_folder(parent)?;
    let dependencies: String = jars.iter().map(dependency).collect();
    let project = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>outbox</groupId><artifactId>server-for-tests</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>"
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

fn dependency((wanted, version): &Jar) -> String {
    let (group, artifact) = wanted.split_once(':').unwrap_or((wanted, ""));
    format!(
        "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
    )
}

/// An empty folder in this one.
fn empty_folder(parent: &Path) -> Result<PathBuf> {
    let folder = parent.join(format!("fetching-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
