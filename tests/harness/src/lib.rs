//! Starts, kills, freezes and restarts real servers and processes, for tests and benchmarks.
//!
//! A test that only needs *a* database asks for [`requirement::shared_postgres_database`]; one that wants to do harm
//! to its server asks for [`requirement::private_postgres`]; one that runs a program of ours uses [`ChildProcess`].
//! All of them end with the value that stands for them, and with the test process when that is killed.
//!
//! Everything here blocks. It is built on the standard library and runs on Linux (`/proc`, `setpriv` of util-linux).

mod child_process;
mod error;
mod identity;
mod jars;
mod native_server;
mod output;
mod port;
mod probe;
mod process_tree;
mod programs;
mod random;
mod scratch;
mod server;
mod spawner;
mod url;

pub mod browser;
pub mod container;
pub mod environment;
pub mod kafka;
pub mod mysql;
pub mod nats;
pub mod postgres;
pub mod rabbitmq;
pub mod redis;
pub mod requirement;
pub mod rocketmq;

pub use browser::{Browser, BrowserBinaries};
pub use child_process::ChildProcess;
pub use error::HarnessError;
pub use kafka::{Kafka, KafkaBinaries, KafkaOptions};
pub use mysql::{Mysql, MysqlBinaries, MysqlDatabase, MysqlFlavour, MysqlOptions};
pub use nats::{Nats, NatsBinaries, NatsOptions};
pub use port::free_port;
pub use postgres::{Postgres, PostgresBinaries, PostgresOptions, TestDatabase};
pub use rabbitmq::{RabbitMq, RabbitMqBinaries, RabbitMqOptions};
pub use redis::{Redis, RedisBinaries, RedisClient, RedisCluster, RedisFailover, RedisOptions};
pub use rocketmq::{RocketMq, RocketMqBinaries, RocketMqOptions};
pub use scratch::Scratch;
