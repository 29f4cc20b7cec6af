//! How the official images are told what a test server should be like.

use outbox_test_harness::container::protocol::Kind;

/// What differs between servers.
pub(crate) struct Recipe {
    /// The port inside of the container.
    pub(crate) port: u16,
    pub(crate) environment: &'static [(&'static str, &'static str)],
    pub(crate) command: Vec<String>,
}

impl Recipe {
    pub(crate) fn of(kind: Kind, settings: &[String]) -> Self {
        match kind {
            Kind::Postgres => postgres(settings),
            Kind::Mysql => mysql(settings),
            Kind::Redis => redis(settings),
        }
    }
}

/// See <https://hub.docker.com/_/postgres>. Encoding and locale are those of the harness's native servers.
fn postgres(settings: &[String]) -> Recipe {
    let settings = settings
        .iter()
        .flat_map(|setting| ["-c".to_owned(), setting.clone()]);
    Recipe {
        port: 5432,
        environment: &[
            ("POSTGRES_HOST_AUTH_METHOD", "trust"),
            ("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C"),
        ],
        command: std::iter::once("postgres".to_owned()).chain(settings).collect(),
    }
}

/// See <https://hub.docker.com/_/mysql> and <https://hub.docker.com/_/mariadb>: each ignores what is meant for the
/// other. The program's name is left to the image, which adds it in front of options.
fn mysql(settings: &[String]) -> Recipe {
    let ours = ["--skip-log-bin".to_owned(), "--loose-mysqlx=OFF".to_owned()];
    let settings = settings.iter().map(|setting| format!("--{setting}"));
    Recipe {
        port: 3306,
        environment: &[
            ("MYSQL_ALLOW_EMPTY_PASSWORD", "yes"),
            ("MYSQL_ROOT_HOST", "%"),
            ("MYSQL_DATABASE", "test"),
            ("MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "yes"),
            ("MARIADB_DATABASE", "test"),
        ],
        command: ours.into_iter().chain(settings).collect(),
    }
}

/// See <https://hub.docker.com/_/redis>. Nothing is kept on disk, as with the harness's native servers.
fn redis(settings: &[String]) -> Recipe {
    let ours = ["redis-server", "--save", "", "--appendonly", "no"];
    let settings = settings.iter().flat_map(|setting| {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        let words = value.split_whitespace().map(str::to_owned);
        std::iter::once(format!("--{name}")).chain(words)
    });
    Recipe {
        port: 6379,
        environment: &[],
        command: ours.map(str::to_owned).into_iter().chain(settings).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_each_server_wants_them() {
        let settings = ["max_connections=7".to_owned()];
        assert_eq!(
            Recipe::of(Kind::Postgres, &settings).command,
            ["postgres", "-c", "max_connections=7"]
        );
        let mysql = Recipe::of(Kind::Mysql, &settings).command;
        assert_eq!(mysql.last().map(String::as_str), Some("--max_connections=7"));
        let redis = Recipe::of(Kind::Redis, &["save=60 1".to_owned()]).command;
        assert!(
            redis.ends_with(&["--save", "60", "1"].map(str::to_owned)),
            "{redis:?}"
        );
    }
}
