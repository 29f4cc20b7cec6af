//! What can't work is said before anything is done, with what to do about it.

use std::net::TcpListener;

use outbox_test_harness::{Scratch, free_port};

use crate::support::{Binary, Place, on_each_database};

on_each_database!(
    a_database_newer_than_the_program,
    an_outbox_newer_than_the_program,
    a_table_that_is_missing,
    a_port_in_use,
);

/// Starts with this environment, and returns what the program said when it gave up.
fn refused(environment: &[(&str, &str)]) -> String {
    let mut command = Binary::command(&["serve", "--bind", "127.0.0.1:0"]);
    command.envs(environment.iter().copied());
    let (code, stdout, stderr) = Binary::run(command);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn urls_that_lead_nowhere() {
    let folder = Scratch::new().unwrap();
    let missing = format!("sqlite://{}/none/orders.db", folder.path().display());
    let closed = |scheme| format!("{scheme}://user:s3cret@127.0.0.1:{}/shop", free_port().unwrap());
    for (url, parts) in [
        (
            "oracle://root:s3cret@localhost/shop",
            &["DATABASE_URL", "\"oracle\"", "sqlite:, postgres: or mysql:"][..],
        ),
        ("orders.db", &["DATABASE_URL", "scheme is none", "sqlite://"]),
        ("sqlite::memory:", &["in memory", "name a file"]),
        (
            "postgres://user:s3cret@host:port/shop",
            &["no valid Postgres URL"],
        ),
        ("mysql://user:s3cret@host:port/shop", &["no valid MySQL URL"]),
        ("mysql://user:s3cret@host", &["names no database"]),
        (
            &missing,
            &["can't open", "/none/orders.db", "is its folder there"],
        ),
        (
            &closed("postgres"),
            &[
                "can't connect to Postgres at 127.0.0.1:",
                "database shop",
                "is it running",
                "refused",
            ],
        ),
        (
            &closed("mysql"),
            &[
                "can't connect to MySQL at 127.0.0.1:",
                "database shop",
                "is it running",
                "refused",
            ],
        ),
    ] {
        let said = refused(&[("DATABASE_URL", url)]);
        assert_says(&said, parts);
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_queue_that_there_is_not() {
    let said = |mut command: std::process::Command| {
        let (code, stdout, stderr) = Binary::run({
            command.env("DATABASE_URL", "sqlite://none/orders.db");
            command
        });
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert_says(
            &stderr,
            &["'kafka'", "--queue <QUEUE>", "database, memory or the URL"],
        );
    };
    for command in ["serve", "demo"] {
        said(Binary::command(&[command, "--queue", "kafka"]));
        let mut by_environment = Binary::command(&[command]);
        by_environment.env("QUEUE", "kafka");
        said(by_environment);
    }
}

#[test]
fn help_shows_no_password() {
    let mut command = Binary::command(&["--help"]);
    command.env("DATABASE_URL", "postgres://user:s3cret@localhost/shop");
    let (code, stdout, _) = Binary::run(command);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("DATABASE_URL") && !stdout.contains("s3cret"),
        "{stdout}"
    );
}

async fn a_database_newer_than_the_program(place: Place) {
    place.open().await.close().await;
    let row = "INSERT INTO _order_service_migrations (version, description, success, checksum, execution_time) \
               SELECT 99, 'later', success, checksum, execution_time FROM _order_service_migrations WHERE version = 1";
    place.execute(row).await;
    let said = refused(&[("DATABASE_URL", place.url())]);
    assert_says(
        &said,
        &[
            "newer than this program",
            "migration 99",
            "those up to 6",
            "Start a newer version",
        ],
    );
}

async fn an_outbox_newer_than_the_program(place: Place) {
    place.open().await.close().await;
    place
        .execute("INSERT INTO outbox_schema (version) VALUES (99)")
        .await;
    let said = refused(&[("DATABASE_URL", place.url())]);
    assert_says(
        &said,
        &[
            "the outbox in this database is at version 99",
            "deploy a newer version",
        ],
    );
}

async fn a_table_that_is_missing(place: Place) {
    place.open().await.close().await;
    place.execute("DROP TABLE order_line").await;
    let said = refused(&[("DATABASE_URL", place.url())]);
    assert_says(&said, &["missing", "order_line", "Restore them"]);
}

async fn a_port_in_use(place: Place) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = Binary::command(&[]);
    command.env("DATABASE_URL", place.url()).env("BIND", &address);
    let (code, _, stderr) = Binary::run(command);
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["can't listen on", &address, "set BIND", "in use"]);
}

/// DDL commits by itself on MySQL: a process that dies in the middle leaves some tables, and a note of what it was at.
#[test]
fn a_migration_that_was_interrupted_is_completed_on_mysql() {
    let Some(place) = Place::mysql() else { return };
    crate::support::run(async {
        place.open().await.close().await;
        place.execute("DROP TABLE reservation_line").await;
        place
            .execute("UPDATE _order_service_migrations SET success = FALSE WHERE version = 2")
            .await;
        place.open().await.close().await;
        assert_eq!(place.number("SELECT count(*) FROM reservation_line").await, 0);
        let done = "SELECT count(*) FROM _order_service_migrations WHERE success";
        assert_eq!(place.number(done).await, 6);
    });
}
