//! Where to measure: a private Postgres, MySQL or MariaDB server, a database of our own on somebody's server, or a SQLite
//! file.
//!
//! Every scenario works in databases that it created and that are gone afterwards, because it empties tables
//! between rounds.

mod engine;
mod mysql;
mod postgres;
mod queue;
mod rows;
mod sqlite;

pub(crate) use engine::{Engine, Shared};
pub(crate) use mysql::connect as connect_mysql;
pub(crate) use postgres::connect as connect_postgres;
pub(crate) use queue::QueueEngine;
pub(crate) use rows::{ROWS_MAX, many};

use anyhow::Result;
use outbox_core::relay::RelayStore;
use serde_json::{Map, Value};

use crate::cli::DatabaseSpec;

/// What databases are created on.
#[derive(Debug)]
pub(crate) enum Server {
    Postgres(Box<postgres::PostgresServer>),
    Mysql(Box<mysql::MysqlServer>),
    Sqlite(sqlite::SqliteFolder),
}

/// An empty database with the outbox's tables and the benchmark's own.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    Sqlite,
}

impl Kind {
    /// The kind of a URL that [`Server::database`] made.
    pub(crate) fn of_url(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            Self::Sqlite
        } else if ["mysql:", "mariadb:"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            Self::Mysql
        } else {
            Self::Postgres
        }
    }

    /// For sentences.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "Postgres",
            Self::Mysql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }
}

impl Server {
    /// Starts or reaches it.
    ///
    /// # Errors
    /// There is no server, it can't be reached, or its user may not create databases: the text says what to do.
    pub(crate) async fn start(spec: &DatabaseSpec) -> Result<Self> {
        match spec {
            DatabaseSpec::PrivatePostgres => postgres::PostgresServer::private()
                .await
                .map(Box::new)
                .map(Self::Postgres),
            DatabaseSpec::PostgresUrl(url) => postgres::PostgresServer::at(url)
                .await
                .map(Box::new)
                .map(Self::Postgres),
            DatabaseSpec::PrivateMysql => mysql::MysqlServer::private().await.map(Box::new).map(Self::Mysql),
            DatabaseSpec::MysqlUrl(url) => mysql::MysqlServer::at(url).await.map(Box::new).map(Self::Mysql),
            DatabaseSpec::TemporarySqlite => sqlite::SqliteFolder::temporary().map(Self::Sqlite),
            DatabaseSpec::SqliteFile(path) => sqlite::SqliteFolder::at(path).map(Self::Sqlite),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Postgres(_) => Kind::Postgres,
            Self::Mysql(_) => Kind::Mysql,
            Self::Sqlite(_) => Kind::Sqlite,
        }
    }

    /// A new database with all tables in it.
    ///
    /// # Errors
    /// It can't be created, or a migration failed.
    pub(crate) async fn database(&mut self) -> Result<Database> {
        let database = match self {
            Self::Postgres(server) => Database {
                kind: Kind::Postgres,
                url: server.create().await?,
            },
            Self::Mysql(server) => Database {
                kind: Kind::Mysql,
                url: server.create().await?,
            },
            Self::Sqlite(folder) => Database {
                kind: Kind::Sqlite,
                url: folder.create()?,
            },
        };
        match database.kind {
            Kind::Postgres => engine::make_tables::<sqlx::Postgres>(&database.url).await?,
            Kind::Mysql => engine::make_tables::<sqlx::MySql>(&database.url).await?,
            Kind::Sqlite => engine::make_tables::<sqlx::Sqlite>(&database.url).await?,
        }
        Ok(database)
    }

    /// What figures depend on, for the report.
    pub(crate) fn settings(&self) -> Map<String, Value> {
        match self {
            Self::Postgres(server) => server.settings(),
            Self::Mysql(server) => server.settings(),
            Self::Sqlite(folder) => folder.settings(),
        }
    }

    /// Removes what was created. A private server and temporary files go with the value.
    pub(crate) async fn clean_up(self) {
        match self {
            Self::Postgres(server) => server.clean_up().await,
            Self::Mysql(server) => server.clean_up().await,
            Self::Sqlite(folder) => folder.clean_up(),
        }
    }
}

/// What a relay reads from.
pub(crate) async fn relay_store(database: &Database) -> Result<Box<dyn RelayStore>> {
    match database.kind {
        Kind::Postgres => sqlx::Postgres::relay_store(&database.url).await,
        Kind::Mysql => sqlx::MySql::relay_store(&database.url).await,
        Kind::Sqlite => sqlx::Sqlite::relay_store(&database.url).await,
    }
}
