//! `cargo xtask test`.

use std::env;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use outbox_test_harness::{Scratch, environment};

use crate::cargo_test::{self, Counts};
use crate::cli::TestArguments;
use crate::left_out::{self, LeftOut};
use crate::servers::Servers;
use crate::stages::Stages;
use crate::workspace;

/// Set to `1`, it makes leaving something out a failure.
const REQUIRE_ALL: &str = "REQUIRE_ALL";

const ALLOWED: &str = "tests/allowed-left-out.toml";

pub(crate) fn run(arguments: &TestArguments) -> Result<ExitCode> {
    let scratch = Scratch::new()?;
    let list = scratch.path().join("left-out");
    let mut stages = Stages::default();

    let servers = stages.run("servers", Servers::provide)?;
    let test = || {
        let mut command = cargo_test_command(arguments);
        command
            .env(environment::LEFT_OUT, &list)
            .env(environment::FULL, if arguments.full { "1" } else { "0" });
        command.envs(servers.urls());
        command
    };
    let built = stages.run("build", || {
        test().arg("--no-run").status().context("can't run cargo")
    })?;
    if !built.success() {
        bail!("the tests don't compile");
    }
    let (status, counts) = stages.run("tests", || {
        let mut command = test();
        command
            .arg("--")
            .args(&arguments.filters)
            .args(&arguments.test_arguments);
        cargo_test::run(command)
    })?;
    stages.run("stop", || drop(servers));

    let mut left_out = LeftOut::read(&list)?;
    for (test, reason) in &counts.ignored {
        left_out.add(left_out::IGNORED, test, reason);
    }
    report(arguments, &counts, &left_out, &stages);
    verdict(arguments, status, &counts, &left_out)
}

fn cargo_test_command(arguments: &TestArguments) -> Command {
    let mut command = workspace::cargo();
    command.args(["test", "--all-features", "--no-fail-fast"]);
    if arguments.packages.is_empty() {
        command.arg("--workspace");
    }
    for package in &arguments.packages {
        command.args(["--package", package]);
    }
    command
}

fn report(arguments: &TestArguments, counts: &Counts, left_out: &LeftOut, stages: &Stages) {
    let forms = if arguments.full {
        "long forms"
    } else {
        "short forms; `--full` runs the long ones"
    };
    println!("\n{stages}");
    println!("{left_out}");
    // A test that leaves itself out ends well as far as cargo knows.
    println!(
        "Tests: {} passed{}, {} failed, {} ignored ({forms})",
        counts.passed,
        left_out.among_passed(),
        counts.failed,
        counts.ignored.len()
    );
}

fn verdict(
    arguments: &TestArguments,
    status: ExitStatus,
    counts: &Counts,
    left_out: &LeftOut,
) -> Result<ExitCode> {
    if !status.success() {
        bail!("tests failed");
    }
    if counts.passed == 0 {
        bail!("no test ran (filters: {:?})", arguments.filters);
    }
    if env::var(REQUIRE_ALL).is_ok_and(|value| value == "1") {
        let path = workspace::root().join(ALLOWED);
        let allowed = left_out::allowed(&path)?;
        let missing: Vec<&str> = left_out.not_in(&allowed).into_iter().collect();
        if !missing.is_empty() {
            bail!(
                "{REQUIRE_ALL}=1, but this was left out and is not in {ALLOWED}: {}",
                missing.join(", ")
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
