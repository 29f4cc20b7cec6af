//! RocketMQ: name server, broker and gRPC proxy in one process that a test may harm, from the official jars.

mod binaries;
mod options;
mod program;
mod server;

pub use binaries::RocketMqBinaries;
pub use options::RocketMqOptions;
pub use server::RocketMq;
