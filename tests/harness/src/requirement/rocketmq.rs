//! RocketMQ for tests.

use std::sync::Mutex;

use super::{LeftOut, or_leave_out, own_shared_server, program};
use crate::rocketmq::{RocketMq, RocketMqBinaries, RocketMqOptions};

/// The URL of a server that the tests of this binary share: they use topics and groups of their own. `None`: the test is left out
/// and that was written down.
///
/// # Panics
///
/// As [`private_rocketmq`].
pub fn shared_rocketmq_url() -> Option<String> {
    static SHARED: Mutex<Option<RocketMq>> = Mutex::new(None);
    or_leave_out(rocketmq_program())?;
    let start = || RocketMq::start_with(&RocketMqOptions::new());
    let url = own_shared_server(&SHARED, start, RocketMq::url);
    Some(url.unwrap_or_else(|error| panic!("no server for these tests: {error}")))
}

/// A server for this test alone, which it may kill, freeze and restart. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When jars are there but the server doesn't start; and, outside of `cargo xtask test`, when none are there.
pub fn private_rocketmq(options: &RocketMqOptions) -> Option<RocketMq> {
    or_leave_out(rocketmq_program())?;
    Some(RocketMq::start_with(options).unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// The server that there is.
///
/// # Errors
///
/// When there is none.
pub fn rocketmq_program() -> Result<RocketMqBinaries, LeftOut> {
    program("rocketmq", RocketMqBinaries::find())
}
