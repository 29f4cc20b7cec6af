//! NATS for a test run. Each test starts its own server, which takes milliseconds.

use outbox_test_harness::requirement;

use super::install;

/// Installs what is missing, if it may.
pub(super) fn provide() {
    if requirement::nats_program().is_err() {
        install("NATS", &["nats-server"]);
    }
}

/// Says what there is.
pub(super) fn say() {
    match requirement::nats_program() {
        Ok(found) => println!("  NATS: {} at {}", found.version(), found.server().display()),
        Err(missing) => println!("  NATS: none ({})", missing.reason),
    }
}
