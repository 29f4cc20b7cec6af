//! A database of a test's own on a server that tests share.

use crate::postgres::Psql;
use crate::{HarnessError, random, url};

/// An empty database under a name that nobody else uses, dropped with the value (as far as the server still answers).
#[derive(Debug)]
pub struct TestDatabase {
    server_url: String,
    name: String,
    url: String,
    psql: Psql,
}

impl TestDatabase {
    /// Creates one on the server that the URL leads to.
    ///
    /// # Errors
    ///
    /// When `psql` is missing, the server doesn't answer, or its user may not create databases.
    pub fn create(server_url: &str) -> Result<Self, HarnessError> {
        let psql = Psql::find()?;
        let name = random::database_name();
        let url = create(&psql, server_url, &name)?;
        Ok(Self {
            server_url: server_url.to_owned(),
            name,
            url,
            psql,
        })
    }

    /// `postgres://…/outbox_test_…`
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // FORCE: a test's pool may still be open. A server that is gone took the database with it.
        let _ = self.psql.run(
            &self.server_url,
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&self.name)),
        );
    }
}

/// `template0`, because nobody can be connected to it: a connection to the template makes CREATE DATABASE fail.
pub(crate) fn create(psql: &Psql, server_url: &str, name: &str) -> Result<String, HarnessError> {
    let url = url::with_database(server_url, name)?;
    psql.run(
        server_url,
        &format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'",
            quoted(name)
        ),
    )?;
    Ok(url)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
