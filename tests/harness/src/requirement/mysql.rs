//! MySQL and MariaDB for tests.

use std::sync::Mutex;

use super::{
    LeftOut, SHARED_MAX_CONNECTIONS, Source, or_leave_out, own_shared_server, program, source, to_be_killed,
};
use crate::container::protocol::Kind;
use crate::mysql::MysqlClient;
use crate::{Mysql, MysqlBinaries, MysqlDatabase, MysqlOptions, environment};

/// Where a MySQL or MariaDB server can come from.
pub type MysqlSource = Source<MysqlBinaries>;

/// Where a MySQL or MariaDB server would come from.
///
/// # Errors
///
/// When there is none.
pub fn mysql() -> Result<MysqlSource, LeftOut> {
    source("mysql", environment::MYSQL_URL, Kind::Mysql, MysqlBinaries::find)
}

/// A fresh database on the server that tests share. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When there is a server but it refuses; and, outside of `cargo xtask test`, when there is none.
pub fn shared_mysql_database() -> Option<MysqlDatabase> {
    static OWN: Mutex<Option<Mysql>> = Mutex::new(None);
    let source = or_leave_out(mysql())?;
    mysql_client()?;
    let url = match source {
        Source::Url(url) => Ok(url),
        Source::Container(_) | Source::Native(_) => {
            own_shared_server(&OWN, || Mysql::start_with(&shared_mysql_options()), Mysql::url)
        }
    };
    let created = url.and_then(|url| MysqlDatabase::create(&url));
    Some(created.unwrap_or_else(|error| panic!("no database for this test: {error}")))
}

/// A server for this test alone, which it may kill, freeze and restart. A URL can't serve this need. `None`: the test
/// is left out and that was written down.
///
/// # Panics
///
/// When a server is installed but doesn't start; and, outside of `cargo xtask test`, when none is installed.
pub fn private_mysql(options: &MysqlOptions) -> Option<Mysql> {
    or_leave_out(to_be_killed("private-mysql", Kind::Mysql, MysqlBinaries::find))?;
    Some(Mysql::start_with(options).unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// The client `mariadb` or `mysql`, for tests that insert from another language. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// Outside of `cargo xtask test`, when it is missing.
pub fn mysql_client() -> Option<MysqlClient> {
    or_leave_out(program("mysql-client", MysqlClient::find()))
}

/// Tests of one binary run at once, each with a database of thirty tables: MySQL tells a prepared statement to prepare
/// itself again (error 1615) when its tables leave the cache faster than it can.
const SHARED_TABLE_DEFINITIONS: u32 = 10_000;

/// Settings of a server that many tests share.
pub fn shared_mysql_options() -> MysqlOptions {
    MysqlOptions::new()
        .setting("max_connections", SHARED_MAX_CONNECTIONS)
        .setting("table_definition_cache", SHARED_TABLE_DEFINITIONS)
}
