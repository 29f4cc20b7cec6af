use order_service::audit::Audit;
use order_service::database::Database;
use outbox_test_harness::{Scratch, TestDatabase, requirement};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

/// An empty database of a test's own, gone with the value.
pub(crate) struct Place {
    url: String,
    _owner: Owner,
}

#[allow(dead_code, reason = "held to be dropped")]
enum Owner {
    Folder(Scratch),
    Database(TestDatabase),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = Scratch::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("orders.db").display());
        Self {
            url,
            _owner: Owner::Folder(folder),
        }
    }

    pub(crate) fn postgres() -> Option<Self> {
        let database = requirement::shared_postgres_database()?;
        let url = database.url().to_owned();
        Some(Self {
            url,
            _owner: Owner::Database(database),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn open(&self) -> Database {
        Database::open(&self.url).await.unwrap()
    }

    /// The books, while a service may be running.
    pub(crate) async fn audit(&self) -> Audit {
        let database = self.open().await;
        let audit = Audit::of(&database).await.unwrap();
        database.close().await;
        audit
    }

    /// Runs a statement behind the service's back.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.url.starts_with("sqlite") {
            SqliteConnection::connect(&self.url)
                .await
                .unwrap()
                .execute(sql)
                .await
                .unwrap();
        } else {
            PgConnection::connect(&self.url)
                .await
                .unwrap()
                .execute(sql)
                .await
                .unwrap();
        }
    }

    /// Asks for a number behind the service's back.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        }
    }
}
