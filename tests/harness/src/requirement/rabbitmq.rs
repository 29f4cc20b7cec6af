//! RabbitMQ for tests.

use std::sync::Mutex;

use super::{LeftOut, or_leave_out, own_shared_server, program};
use crate::rabbitmq::{RabbitMq, RabbitMqBinaries, RabbitMqOptions};

/// A server for this test alone, which it may kill, freeze and restart. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When a server is installed but doesn't start; and, outside of `cargo xtask test`, when none is installed.
pub fn private_rabbitmq(options: &RabbitMqOptions) -> Option<RabbitMq> {
    or_leave_out(rabbitmq_program())?;
    Some(RabbitMq::start_with(options).unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// The URL of a server that all tests of this process share: each uses names of its own, and does it no harm. `None`: the test
/// is left out and that was written down.
///
/// # Panics
///
/// As [`private_rabbitmq`].
pub fn shared_rabbitmq_url() -> Option<String> {
    static OWN: Mutex<Option<RabbitMq>> = Mutex::new(None);
    or_leave_out(rabbitmq_program())?;
    let url = own_shared_server(
        &OWN,
        || RabbitMq::start_with(&RabbitMqOptions::new()),
        RabbitMq::url,
    );
    Some(url.unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// The server that there is.
///
/// # Errors
///
/// When there is none.
pub fn rabbitmq_program() -> Result<RabbitMqBinaries, LeftOut> {
    program("rabbitmq", RabbitMqBinaries::find())
}
