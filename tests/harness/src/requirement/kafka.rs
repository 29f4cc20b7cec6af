//! Kafka for tests.

use std::sync::Mutex;

use super::{LeftOut, or_leave_out, own_shared_server, program};
use crate::kafka::{Kafka, KafkaBinaries, KafkaOptions};

/// The URL of a server that the tests of this binary share: they use topics and groups of their own. `None`: the test is left out
/// and that was written down.
///
/// # Panics
///
/// As [`private_kafka`].
pub fn shared_kafka_url() -> Option<String> {
    static SHARED: Mutex<Option<Kafka>> = Mutex::new(None);
    or_leave_out(kafka_program())?;
    let start = || Kafka::start_with(&KafkaOptions::new());
    let url = own_shared_server(&SHARED, start, Kafka::url);
    Some(url.unwrap_or_else(|error| panic!("no server for these tests: {error}")))
}

/// A server for this test alone, which it may kill, freeze and restart. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When jars are there but the server doesn't start; and, outside of `cargo xtask test`, when none are there.
pub fn private_kafka(options: &KafkaOptions) -> Option<Kafka> {
    or_leave_out(kafka_program())?;
    Some(Kafka::start_with(options).unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// The server that there is.
///
/// # Errors
///
/// When there is none.
pub fn kafka_program() -> Result<KafkaBinaries, LeftOut> {
    program("kafka", KafkaBinaries::find())
}
