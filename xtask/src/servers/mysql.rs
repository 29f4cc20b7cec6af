//! MySQL or MariaDB for a test run or a command.

use anyhow::{Context, Result};
use outbox_test_harness::mysql::{MysqlClient, without_password};
use outbox_test_harness::{Mysql, MysqlBinaries, MysqlDatabase, MysqlOptions, environment, requirement};

use super::{Kind, Shared, install, say_client, say_private};

/// Debian has MariaDB in place of MySQL.
const PACKAGES: [&str; 2] = ["mariadb-server", "mariadb-client"];

pub(super) fn provide() -> Result<Shared<Mysql>> {
    let client = MysqlClient::find();
    say_client("MySQL's client", client.as_ref().map(MysqlClient::program));
    let kind = Kind {
        name: "MySQL",
        variable: environment::MYSQL_URL,
        start: &start,
        check: &check,
    };
    let shared = kind.share(requirement::mysql())?;
    let binaries = MysqlBinaries::find();
    let found = binaries.as_ref();
    say_private(
        "MySQL",
        found.map(|binaries| (binaries.version(), binaries.server())),
    );
    Ok(shared)
}

/// A server for one command; its programs are installed first if they are missing and we may.
pub(crate) fn private_mysql(options: &MysqlOptions) -> Result<Mysql> {
    install_missing();
    Ok(Mysql::start_with(options)?)
}

pub(super) fn install_missing() {
    if MysqlBinaries::find().is_err() || MysqlClient::find().is_err() {
        install("MySQL", &PACKAGES);
    }
}

fn start() -> Result<(Mysql, String, String)> {
    let server = Mysql::start_with(&requirement::shared_mysql_options())
        .context("MySQL or MariaDB is installed but a private instance doesn't start")?;
    let (version, url) = (server.version().to_owned(), server.url());
    Ok((server, version, url))
}

fn check(url: &str) -> Result<()> {
    if MysqlClient::find().is_err() {
        return Ok(());
    }
    MysqlDatabase::create(url).map(drop).with_context(|| {
        format!(
            "{} is set to {}, but no database can be created there",
            environment::MYSQL_URL,
            without_password(url)
        )
    })
}
