//! RabbitMQ: a private server that a test may harm, and one that the tests of a binary share.

mod binaries;
mod home;
mod options;
mod program;
mod server;

pub use binaries::RabbitMqBinaries;
pub use options::RabbitMqOptions;
pub use server::RabbitMq;
