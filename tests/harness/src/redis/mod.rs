//! Redis: a private server that a test may harm, a cluster, and a master with a sentinel.

mod binaries;
mod client;
mod cluster;
mod failover;
mod options;
mod program;
mod sentinel;
mod server;

pub use binaries::RedisBinaries;
pub use client::RedisClient;
pub use cluster::RedisCluster;
pub use failover::RedisFailover;
pub use options::RedisOptions;
pub use server::Redis;

pub use crate::url::without_password;
