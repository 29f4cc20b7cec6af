//! The demo: what CI and a newcomer run.

use serde_json::Value;

use crate::support::{Binary, Place, on_each_database, until};

on_each_database!(
    nothing_is_lost_and_it_can_be_run_again,
    nothing_is_lost_with_the_queue_in_memory,
);

async fn nothing_is_lost_and_it_can_be_run_again(place: Place) {
    play_twice(&place, &[], "database").await;
}

async fn nothing_is_lost_with_the_queue_in_memory(place: Place) {
    play_twice(&place, &["--queue", "memory"], "memory").await;
}

async fn play_twice(place: &Place, arguments: &[&str], queue: &str) {
    let command = || {
        let mut command = Binary::command(&["demo", "--orders", "60", "--seed", "7", "--json"]);
        command.args(arguments);
        if place.is_server() {
            command.env("DATABASE_URL", place.url());
        }
        Binary::run(command)
    };
    let mut lines = Vec::new();
    for _ in 0..2 {
        let (code, stdout, stderr) = command();
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        let line: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((&line["orders"], &line["queue"]), (&60.into(), &queue.into()));
        assert_eq!(
            (&line["lost"], &line["duplicates_effective"]),
            (&0.into(), &0.into())
        );
        assert_eq!(line["messages_committed"], line["messages_delivered"]);
        assert!(
            line["refused"].as_i64() > Some(0) && line["completed"].as_i64() > Some(0),
            "{line}"
        );
        lines.push(line);
    }
    assert_eq!(
        lines[0]["messages_committed"], lines[1]["messages_committed"],
        "the same seed, the same orders"
    );
    // On MySQL what is left over would be on the server that tests share, where other demos may be running.
    let (left, tables) = match place.url() {
        url if url.starts_with("postgres") => (
            "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'order_service_demo%'",
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
        ),
        url if url.starts_with("mysql") => (
            "SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'order_service_demo%'",
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE()",
        ),
        _ => return,
    };
    until(async || place.number(left).await, |&left| left == 0).await;
    assert_eq!(
        place.number(tables).await,
        0,
        "it touches nothing outside of what is its own"
    );
}

#[test]
fn somebodys_file_is_left_alone() {
    let place = Place::sqlite();
    crate::support::run(async {
        let database = place.open().await;
        let store = database.inventory(&outbox_sqlx::Outbox::new());
        store.put_stock("m", "s", 5).await.unwrap();
        database.close().await;
    });
    let mut command = Binary::command(&["demo", "--orders", "1"]);
    command.env("DATABASE_URL", place.url());
    let (code, stdout, stderr) = Binary::run(command);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.contains("0 orders and 5 units of stock") && stderr.contains("a file that is not there"),
        "{stderr}"
    );
}

#[test]
fn the_summary_is_for_people() {
    let (code, stdout, stderr) = Binary::run(Binary::command(&["demo", "--orders", "20"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("the books balance                yes"),
        "{stdout}"
    );
}
