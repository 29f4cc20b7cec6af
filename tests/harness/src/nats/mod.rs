//! NATS: a private server with JetStream that a test may harm.

mod binaries;
mod options;
mod program;
mod server;

pub use binaries::NatsBinaries;
pub use options::NatsOptions;
pub use server::Nats;
