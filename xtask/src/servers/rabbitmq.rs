//! RabbitMQ for a test run. It takes seconds to start, so the tests of a binary share one, and those that harm theirs start their own.

use outbox_test_harness::requirement;

use super::install;

/// Installs what is missing, if it may.
pub(super) fn provide() {
    if requirement::rabbitmq_program().is_err() {
        install("RabbitMQ", &["rabbitmq-server"]);
    }
}

/// Says what there is.
pub(super) fn say() {
    match requirement::rabbitmq_program() {
        Ok(found) => println!("  RabbitMQ: {} at {}", found.version(), found.home().display()),
        Err(missing) => println!("  RabbitMQ: none ({})", missing.reason),
    }
}
