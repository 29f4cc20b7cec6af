//! The environment variables by which `cargo xtask test` talks to the tests.

/// URL of a Postgres server that tests may create databases on. Set by the user, or by xtask for a server it started.
pub const POSTGRES_URL: &str = "OUTBOX_TEST_POSTGRES_URL";

/// URL of a MySQL or MariaDB server that tests may create databases on. Set by the user, or by xtask for a server it
/// started.
pub const MYSQL_URL: &str = "OUTBOX_TEST_MYSQL_URL";

/// URL of a Redis server on which tests may use keys of their own. Set by the user, or by xtask for a server it started.
pub const REDIS_URL: &str = "OUTBOX_TEST_REDIS_URL";

/// Folder that holds the programs of MySQL or MariaDB, for one that is not installed but unpacked somewhere. Set by the
/// user; nowhere else is looked then.
pub const MYSQL_BINARIES: &str = "OUTBOX_TEST_MYSQL_BINARIES";

/// Folder of Kafka's jars and those that they need. Set by the user; else they are where `cargo xtask test` puts them.
pub const KAFKA_JARS: &str = "OUTBOX_TEST_KAFKA_JARS";

/// Folder of RocketMQ's jars and those that they need; as [`KAFKA_JARS`].
pub const ROCKETMQ_JARS: &str = "OUTBOX_TEST_ROCKETMQ_JARS";

/// Path of the helper that keeps servers in containers (`tests/containers`). Set by xtask where a container engine
/// answers; the user may set it to `0`, and no engine is asked then.
pub const CONTAINERS: &str = "OUTBOX_TEST_CONTAINERS";

/// Image of Postgres that servers are started from, as in `postgres:17`. Set by the user, or by xtask to its default;
/// without [`CONTAINERS`] it means nothing.
pub const POSTGRES_IMAGE: &str = "OUTBOX_TEST_POSTGRES_IMAGE";

/// Image of MySQL or MariaDB, as in `mysql:8.4` or `mariadb:11`; as [`POSTGRES_IMAGE`].
pub const MYSQL_IMAGE: &str = "OUTBOX_TEST_MYSQL_IMAGE";

/// Image of Redis, as in `redis:7`; as [`POSTGRES_IMAGE`].
pub const REDIS_IMAGE: &str = "OUTBOX_TEST_REDIS_IMAGE";

/// File to which a test appends what it had to leave out. Set by xtask, which lists it at the end.
pub const LEFT_OUT: &str = "OUTBOX_TEST_LEFT_OUT";

/// Set to `1` for the long forms: many kills, big numbers.
pub const FULL: &str = "OUTBOX_TEST_FULL";

/// Whether the long forms of tests were asked for (`cargo xtask test --full`).
pub fn is_full() -> bool {
    non_empty(FULL).is_some_and(|value| value != "0")
}

/// A variable's value, if it is set to something.
pub(crate) fn non_empty(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
