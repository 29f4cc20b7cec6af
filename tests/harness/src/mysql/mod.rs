//! MySQL and MariaDB: a private server that a test may harm, and databases on one that tests share.

mod binaries;
mod client;
mod database;
mod options;
mod program;
mod server;
mod template;

pub use binaries::{MysqlBinaries, MysqlFlavour};
pub use client::MysqlClient;
pub use database::MysqlDatabase;
pub use options::MysqlOptions;
pub use server::Mysql;

pub use crate::url::{with_database, without_password};
