//! Kafka: a server in one process (KRaft) that a test may harm, from the official jars.

mod binaries;
mod options;
mod program;
mod server;
mod template;

pub use binaries::KafkaBinaries;
pub use options::KafkaOptions;
pub use server::Kafka;
