use order_service::audit::Audit;
use order_service::database::Database;
use outbox_test_harness::{MysqlDatabase, Scratch, TestDatabase, requirement};
use sqlx::{AssertSqlSafe, Executor};

/// An empty database of a test's own, gone with the value.
pub(crate) struct Place {
    url: String,
    redis: Option<String>,
    owner: Owner,
}

#[allow(dead_code, reason = "held to be dropped")]
enum Owner {
    Folder(Scratch),
    Postgres(TestDatabase),
    Mysql(MysqlDatabase),
}

/// Connects to the place's database, of whatever kind, and does something with the connection.
macro_rules! connected {
    ($place:expr, $connection:ident => $do:expr) => {
        match &$place.owner {
            Owner::Folder(_) => connected!($place, sqlx::SqliteConnection, $connection => $do),
            Owner::Postgres(_) => connected!($place, sqlx::PgConnection, $connection => $do),
            Owner::Mysql(_) => connected!($place, sqlx::MySqlConnection, $connection => $do),
        }
    };
    ($place:expr, $kind:ty, $connection:ident => $do:expr) => {{
        let mut $connection = <$kind as sqlx::Connection>::connect(&$place.url).await.unwrap();
        $do
    }};
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = Scratch::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("orders.db").display());
        Self {
            url,
            redis: None,
            owner: Owner::Folder(folder),
        }
    }

    pub(crate) fn postgres() -> Option<Self> {
        let database = requirement::shared_postgres_database()?;
        Some(Self {
            url: database.url().to_owned(),
            redis: None,
            owner: Owner::Postgres(database),
        })
    }

    /// A Postgres whose ledger has its lock in a Redis.
    pub(crate) fn postgres_with_redis() -> Option<Self> {
        let mut place = Self::postgres()?;
        place.redis = Some(requirement::shared_redis_url()?);
        Some(place)
    }

    pub(crate) fn mysql() -> Option<Self> {
        let database = requirement::shared_mysql_database()?;
        Some(Self {
            url: database.url().to_owned(),
            redis: None,
            owner: Owner::Mysql(database),
        })
    }

    pub(crate) fn is_server(&self) -> bool {
        !matches!(self.owner, Owner::Folder(_))
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where the lock in front of the ledger is, if it is in a Redis.
    pub(crate) fn redis(&self) -> Option<&str> {
        self.redis.as_deref()
    }

    /// The books.
    pub(crate) async fn audit(&self) -> Audit {
        let database = self.open().await;
        let audit = Audit::of(&database).await.unwrap();
        database.close().await;
        audit
    }

    pub(crate) async fn open(&self) -> Database {
        Database::open(&self.url).await.unwrap()
    }

    /// Runs a statement behind the service's back.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        connected!(self, connection => { connection.execute(sql).await.unwrap(); });
    }

    /// Asks for a number behind the service's back.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        connected!(self, connection => sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap())
    }
}
