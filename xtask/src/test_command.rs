//! `cargo xtask test`.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use outbox_test_harness::{Scratch, environment};

use crate::cargo_test::{self, Counts};
use crate::cli::TestArguments;
use crate::left_out::{self, LeftOut};
use crate::matrix::{self, Outcome};
use crate::servers::Servers;
use crate::stages::Stages;
use crate::workspace;

/// Set to `1`, it makes leaving something out a failure.
const REQUIRE_ALL: &str = "REQUIRE_ALL";

/// How many tests of a program run at once, in the words of Rust's own test runner.
const THREADS: &str = "RUST_TEST_THREADS";
/// As many for each core: tests wait for servers, leases and timers far more than they compute.
const THREADS_PER_CORE: usize = 2;

const ALLOWED: &str = "tests/allowed-left-out.toml";

pub(crate) fn run(arguments: &TestArguments) -> Result<ExitCode> {
    let scratch = Scratch::new()?;
    let list = scratch.path().join("left-out");
    let mut stages = Stages::default();

    let servers = stages.run("servers", Servers::provide)?;
    let test = || {
        let mut command = cargo_test(&arguments.packages);
        environment(&mut command, arguments, &servers, &list);
        command
    };
    let built = stages.run("build", || {
        test().arg("--no-run").status().context("can't run cargo")
    })?;
    if !built.success() {
        bail!("the tests don't compile");
    }
    let (status, mut counts) = stages.run("tests", || {
        let mut command = test();
        command
            .arg("--")
            .args(&arguments.filters)
            .args(&arguments.test_arguments);
        cargo_test::run(command)
    })?;
    let matrix = if arguments.matrix {
        stages.run("matrix", || matrix::run(arguments, &servers, &list, &mut counts))?
    } else {
        Outcome::default()
    };
    stages.run("stop", || drop(servers));

    let mut left_out = LeftOut::read(&list)?;
    left_out.join(matrix.left_out);
    for (test, reason) in &counts.ignored {
        left_out.add(left_out::IGNORED, test, reason);
    }
    report(arguments, &counts, &left_out, &stages);
    if !matrix.failed.is_empty() {
        bail!("tests failed with {}", matrix.failed.join(", "));
    }
    verdict(arguments, status, &counts, &left_out)
}

/// `cargo test` for these packages, or for all.
pub(crate) fn cargo_test(packages: &[String]) -> Command {
    let mut command = workspace::cargo();
    command.args(["test", "--all-features", "--no-fail-fast"]);
    if packages.is_empty() {
        command.arg("--workspace");
    }
    for package in packages {
        command.args(["--package", package]);
    }
    command
}

/// Tells tests what there is, and where to write down what there isn't.
pub(crate) fn environment(command: &mut Command, arguments: &TestArguments, servers: &Servers, list: &Path) {
    command
        .env(environment::LEFT_OUT, list)
        .env(environment::FULL, if arguments.full { "1" } else { "0" })
        .envs(servers.environment());
    if env::var_os(THREADS).is_none()
        && let Ok(cores) = std::thread::available_parallelism()
    {
        command.env(THREADS, (cores.get() * THREADS_PER_CORE).to_string());
    }
}

fn report(arguments: &TestArguments, counts: &Counts, left_out: &LeftOut, stages: &Stages) {
    let forms = if arguments.full {
        "long forms"
    } else {
        "short forms; `--full` runs the long ones"
    };
    println!("\n{stages}");
    println!("{left_out}");
    if !counts.failures.found.is_empty() {
        println!("Failed:");
    }
    for failure in &counts.failures.found {
        println!("{failure}");
    }
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
