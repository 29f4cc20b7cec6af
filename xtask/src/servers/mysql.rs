//! MySQL or MariaDB for a test run or a command.

use anyhow::Result;
use outbox_test_harness::container::ContainerImage;
use outbox_test_harness::container::protocol::Kind;
use outbox_test_harness::mysql::MysqlClient;
use outbox_test_harness::{Mysql, MysqlBinaries, MysqlDatabase, MysqlOptions, environment, requirement};

use super::install;
use super::shared::{Shared, Started, Supply};
use crate::containers::Containers;
use crate::images::{self, Images};

/// Debian has MariaDB in place of MySQL.
const SERVER: &str = "mariadb-server";

const CLIENT: &str = "mariadb-client";

const SUPPLY: Supply<'_, Mysql> = Supply {
    kind: Kind::Mysql,
    name: "MySQL",
    variable: environment::MYSQL_URL,
    start: &start,
    check: &check,
    install: &install_missing,
    programs: &programs,
    client: Some(&client),
};

pub(super) fn provide(containers: &Containers) -> Result<Shared<Mysql>> {
    SUPPLY.provide(containers)
}

pub(super) fn in_image(containers: &Containers, image: &str) -> Result<Shared<Mysql>> {
    SUPPLY.in_image(containers, image)
}

/// A server for one command: in a container, where there is an engine, or from programs, which are installed first if
/// they are missing and we may.
pub(crate) fn private_mysql(options: MysqlOptions) -> Result<Mysql> {
    if let Ok(image) = Containers::find()?.image(&Images::plain(Kind::Mysql)?) {
        match Mysql::start_with(&options.clone().container(image)) {
            Ok(server) => return Ok(server),
            Err(error) if images::is_named(Kind::Mysql) => return Err(error.into()),
            Err(error) => eprintln!("{error}"),
        }
    }
    install_missing(true);
    Ok(Mysql::start_with(&options)?)
}

fn install_missing(programs_too: bool) {
    let lacks_programs = programs_too && MysqlBinaries::find().is_err();
    let lacks_client = MysqlClient::find().is_err();
    let packages: Vec<&str> = [(lacks_programs, SERVER), (lacks_client, CLIENT)]
        .into_iter()
        .filter_map(|(lacks, package)| lacks.then_some(package))
        .collect();
    if !packages.is_empty() {
        install("MySQL", &packages);
    }
}

fn start(container: Option<ContainerImage>) -> Result<Started<Mysql>> {
    let options = requirement::shared_mysql_options();
    let server = Mysql::start_with(&match container {
        Some(image) => options.container(image),
        None => options,
    })?;
    Ok(Started {
        version: server.version().to_owned(),
        url: server.url(),
        server,
    })
}

/// Without a client it can't be told; the tests that need one say so.
fn check(url: &str) -> Result<()> {
    if MysqlClient::find().is_ok() {
        MysqlDatabase::create(url)?;
    }
    Ok(())
}

fn programs() -> Result<String> {
    let found = MysqlBinaries::find()?;
    Ok(format!("{} in {}", found.version(), found.server().display()))
}

fn client() -> Result<String> {
    Ok(MysqlClient::find()?.program().display().to_string())
}
