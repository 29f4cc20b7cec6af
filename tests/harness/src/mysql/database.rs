//! A database of a test's own on a server that tests share.

use crate::mysql::MysqlClient;
use crate::{HarnessError, random, url};

/// A connection that is in a transaction keeps its tables from being dropped. The server's own limit is a year.
const DROP_WAITS_SECONDS: u32 = 10;

/// An empty database under a name that nobody else uses, dropped with the value (as far as the server still answers).
#[derive(Debug)]
pub struct MysqlDatabase {
    server_url: String,
    name: String,
    url: String,
    client: MysqlClient,
}

impl MysqlDatabase {
    /// Creates one on the server that the URL leads to.
    ///
    /// # Errors
    ///
    /// When there is no client program, the server doesn't answer, or its user may not create databases.
    pub fn create(server_url: &str) -> Result<Self, HarnessError> {
        let client = MysqlClient::find()?;
        let name = random::database_name();
        let url = create(&client, server_url, &name)?;
        Ok(Self {
            server_url: server_url.to_owned(),
            name,
            url,
            client,
        })
    }

    /// `mysql://…/outbox_test_…`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A test's pool may still be open: what it holds is let go first, as Postgres does with FORCE.
    fn drop_with_its_connections(&self) -> Result<(), HarnessError> {
        let kills = self.client.run(
            &self.server_url,
            &format!(
                "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE db = '{}'",
                self.name
            ),
        )?;
        for kill in kills.lines() {
            // It may have ended by itself in the meantime.
            let _ = self.client.run(&self.server_url, kill);
        }
        let drop = format!(
            "SET SESSION lock_wait_timeout = {DROP_WAITS_SECONDS}; DROP DATABASE IF EXISTS {}",
            quoted(&self.name)
        );
        self.client.run(&self.server_url, &drop).map(|_| ())
    }
}

impl Drop for MysqlDatabase {
    fn drop(&mut self) {
        // A server that is gone took the database with it.
        let _ = self.drop_with_its_connections();
    }
}

/// Any character may be stored in it; how texts compare is left to the server's default for them.
pub(crate) fn create(client: &MysqlClient, server_url: &str, name: &str) -> Result<String, HarnessError> {
    let url = url::with_database(server_url, name)?;
    client.run(
        server_url,
        &format!("CREATE DATABASE {} CHARACTER SET utf8mb4", quoted(name)),
    )?;
    Ok(url)
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
