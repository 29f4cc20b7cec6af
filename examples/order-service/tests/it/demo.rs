//! The demo: what CI and a newcomer run.

use serde_json::Value;

use crate::support::{Binary, Place, on_each_database, until};

on_each_database!(
    nothing_is_lost_and_it_can_be_run_again,
    nothing_is_lost_with_the_queue_in_memory,
    nothing_is_lost_when_processes_are_killed,
);

async fn nothing_is_lost_and_it_can_be_run_again(place: Place) {
    for line in [play(&place, &[]), play(&place, &[])] {
        assert_eq!((&line["queue"], &line["kills"]), (&"database".into(), &0.into()));
    }
    nothing_is_left(&place).await;
}

async fn nothing_is_lost_with_the_queue_in_memory(place: Place) {
    let line = play(&place, &["--queue", "memory"]);
    assert_eq!(line["queue"], "memory");
    nothing_is_left(&place).await;
}

async fn nothing_is_lost_when_processes_are_killed(place: Place) {
    let line = play(&place, &["--faults"]);
    assert!(line["kills"].as_i64() >= Some(5), "{line}");
    nothing_is_left(&place).await;
}

/// Plays it with few orders, and looks at what has to be so however they race.
pub(crate) fn play(place: &Place, arguments: &[&str]) -> Value {
    let mut command = Binary::command(&["demo", "--orders", "40", "--seed", "7", "--json"]);
    command.args(arguments);
    if place.is_server() {
        command.env("DATABASE_URL", place.url());
    }
    let (code, stdout, stderr) = Binary::run(command);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let line: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&line["orders"], &line["seed"]),
        (&40.into(), &7.into()),
        "{line}"
    );
    for none in ["lost", "duplicates_effective", "charges_repeated", "dead"] {
        assert_eq!(line[none], 0, "{line}");
    }
    for some in [
        "completed",
        "refused",
        "cancelled",
        "unpaid_closed",
        "captured",
        "refunded",
    ] {
        assert!(line[some].as_i64() > Some(0), "no {some}: {line}");
    }
    let number = |name: &str| line[name].as_i64().unwrap();
    assert_eq!(number("completed") + number("cancelled"), 40, "{line}");
    assert_eq!(
        number("messages_committed"),
        number("messages_delivered"),
        "{line}"
    );
    assert!(number("captured") > number("refunded"), "{line}");
    // All but the events for whoever wants to know.
    assert!(
        (1..number("messages_committed")).contains(&number("confirmed")),
        "{line}"
    );
    line
}

/// On MySQL what is left over would be on the server that tests share, where other demos may be running.
async fn nothing_is_left(place: &Place) {
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
fn processes_can_not_share_a_queue_in_memory() {
    let (code, stdout, stderr) = Binary::run(Binary::command(&["demo", "--faults", "--queue", "memory"]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("--faults needs --queue database"), "{stderr}");
}

#[test]
fn somebodys_file_is_left_alone() {
    let place = Place::sqlite();
    crate::support::run(async {
        let database = place.open().await;
        let backend = database.backend(&Default::default()).await.unwrap();
        backend.warehouse.put_stock("m", "s", 5).await.unwrap();
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
        stdout.contains("the books balance                    yes"),
        "{stdout}"
    );
}
