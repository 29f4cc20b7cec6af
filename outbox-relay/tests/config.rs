#![allow(clippy::unwrap_used)]
//! What can be configured and what can't: each wrong thing is named, with its value, where it was said and what to do.

use std::path::Path;

use outbox_relay::config::{Config, Purpose, Setting, Sources};
use proptest::prelude::*;

const GOOD: &str = r#"
[database]
url = "postgres://shop:s3cret@localhost/shop"

[brokers]
events = "nats://localhost"
books = "amqp://shop:s3cret@localhost"

[routes]
"orders.*" = "events"
"*" = "books"
"#;

fn file(text: &str) -> Sources<'_> {
    Sources {
        file: Some((Path::new("relay.toml"), text)),
        ..Sources::default()
    }
}

fn errors(sources: Sources<'_>) -> String {
    sources.read(Purpose::Deliver).unwrap_err().to_string()
}

fn variables(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn what_is_said_later_counts() {
    let text = format!("{GOOD}\n[relay]\nlease = \"20s\"\npage_rows = 500\nwindow_rows = 900\n");
    let flag = Setting::of("relay.page_rows").unwrap();
    let sources = Sources {
        environment: variables(&[
            ("OUTBOX_RELAY_LEASE", "30s"),
            ("OUTBOX_RELAY_PAGE_ROWS", "600"),
            ("OUTBOX_RELAY_NAME", ""),
        ]),
        flags: vec![(flag, vec!["700".to_owned()])],
        ..file(&text)
    };
    let (config, shown) = sources.read(Purpose::Deliver).unwrap();
    let shown = shown.to_string();
    assert_eq!(config.relay.lease.as_secs(), 30);
    assert_eq!((config.relay.page_rows, config.relay.window.rows), (700, 900));
    assert_eq!(config.routes.broker("orders.placed"), Some("events"));
    assert_eq!(config.routes.broker("anything"), Some("books"));
    for line in [
        "lease = \"30s\" # OUTBOX_RELAY_LEASE",
        "page_rows = 700 # --relay-page-rows",
        "window_rows = 900 # relay.toml, line 16",
        "publish_timeout = \"10s\" # default",
        "url = \"postgres://shop:***@localhost/shop\" # relay.toml, line 3",
        "\"books\" = \"amqp://shop:***@localhost\"",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(!format!("{shown}{config:?}").contains("s3cret"));
    // What is shown is a file.
    let (again, _) = file(&shown).read(Purpose::Deliver).unwrap();
    assert_eq!(again.relay.lease, config.relay.lease);
    assert_eq!(again.routes, config.routes);
}

#[test]
fn all_of_it_can_be_said_without_a_file() {
    let sources = Sources {
        environment: variables(&[
            ("OUTBOX_DATABASE_URL", "sqlite://shop.db"),
            (
                "OUTBOX_BROKERS",
                "events=nats://localhost?queues=4 books=redis://localhost",
            ),
            ("OUTBOX_ROUTES", "orders.*=events\n*=books"),
            ("OUTBOX_TEST_FULL", "1"),
        ]),
        ..Sources::default()
    };
    let (config, _) = sources.read(Purpose::Deliver).unwrap();
    assert_eq!(config.brokers["events"], "nats://localhost?queues=4");
    assert_eq!(config.routes.broker("a"), Some("books"));
}

#[test]
fn one_broker_needs_no_route_and_the_database_alone_needs_no_broker() {
    let (config, _) = file("database.url = \"sqlite:a.db\"\nbrokers.only = \"kafka://a,b\"")
        .read(Purpose::Deliver)
        .unwrap();
    assert_eq!(config.routes.broker("whatever.it.is"), Some("only"));
    let alone: (Config, _) = file("database.url = \"sqlite:a.db\"")
        .read(Purpose::Database)
        .unwrap();
    assert!(alone.0.brokers.is_empty());
}

/// Wrong files, and what is said of each.
const WRONG: &[(&str, &[&str])] = &[
    ("database = ", &["the file", "line 1", "not TOML"]),
    ("[database\nurl = 1", &["the file", "not TOML"]),
    ("[database]\nurl = \"a\"\nurl = \"b\"", &["the file", "line 3"]),
    (
        "[relay]\nleese = \"1s\"",
        &["relay.leese", "line 2", "did you mean relay.lease?"],
    ),
    ("[relais]\nlease = \"1s\"", &["relais", "no such setting"]),
    ("surprise = 1", &["surprise", "no such setting", "--help"]),
    ("relay = 1", &["relay", "it is a table", "[relay]"]),
    (
        "[relay]\nlease = \"soon\"",
        &["relay.lease", "\"soon\"", "line 2", "as in `15s`"],
    ),
    ("[relay]\nlease = 15", &["relay.lease", "\"15\"", "its unit"]),
    ("[relay]\nlease = \"10ms\"", &["relay.lease", "from 1s"]),
    ("[relay]\nlease = \"-5s\"", &["relay.lease", "\"-5s\"", "no time"]),
    ("[relay]\nlease = [\"1s\"]", &["relay.lease", "it is a text"]),
    (
        "[relay]\nlease = { of = \"1s\" }",
        &["relay.lease", "it is a text"],
    ),
    (
        "[relay]\npublish_timeout = \"30s\"",
        &[
            "relay.publish_timeout",
            "\"30s\"",
            "shorter than relay.lease (15s)",
        ],
    ),
    (
        "[relay]\npage_rows = 0",
        &["relay.page_rows", "\"0\"", "from 1 to 100000"],
    ),
    (
        "[relay]\npage_rows = -1",
        &["relay.page_rows", "\"-1\"", "whole number"],
    ),
    (
        "[relay]\npage_rows = 1.5",
        &["relay.page_rows", "it is a text, a number"],
    ),
    ("[relay]\npage_rows = 100001", &["relay.page_rows", "\"100001\""]),
    (
        "[relay]\nwindow_rows = 10",
        &[
            "relay.page_rows",
            "\"1000\"",
            "(default)",
            "relay.window_rows (10)",
        ],
    ),
    (
        "[relay]\narchive = \"yes\"",
        &["relay.archive", "\"yes\"", "`true` or `false`"],
    ),
    ("[relay]\nname = \"\"", &["relay.name", "it is empty"]),
    (
        "[log]\nformat = \"xml\"",
        &["log.format", "\"xml\"", "one of text, json"],
    ),
    (
        "[log]\nfilter = true\nlevel = \"info\"",
        &["log.level", "no such setting"],
    ),
    (
        "[database]\nurl = \"oracle://u:s3cret@h/x\"",
        &["database.url", "oracle://u:***@h/x", "postgres://, "],
    ),
    (
        "[database]\nurl = \"s3cret\"",
        &["database.url", "\"***\"", "no URL"],
    ),
    ("[database]\nurl = \"\"", &["database.url", "no URL"]),
    ("[database]\nurl = \"postgres://\"", &["database.url", "no URL"]),
    (
        "[brokers]\nEvents = \"nats://a\"",
        &["brokers.Events", "small letters"],
    ),
    (
        "[brokers]\nevents = \"http://u:s3cret@a\"",
        &["brokers.events", "http://u:***@a", "nats://, "],
    ),
    ("[brokers]\nevents = 7", &["brokers.events", "no URL"]),
    ("[brokers]\nevents = []", &["brokers", "text in quotes", "events"]),
    (
        "brokers = \"nats://a\"",
        &["brokers", "it is a table", "[brokers]"],
    ),
    (
        "[routes]\n\"orders*\" = \"events\"",
        &["routes.orders*", "a star at its end"],
    ),
    (
        "[routes]\n\"a b\" = \"events\"",
        &["routes.a b", "a route is a topic"],
    ),
    (
        "[routes]\na = \"nowhere\"",
        &["routes.a", "\"nowhere\"", "there are books, events"],
    ),
];

#[test]
fn what_is_wrong_is_named() {
    assert!(WRONG.len() >= 30);
    for (text, said) in WRONG {
        // The rest is there, where it can stand beside it.
        let section = text.trim_start_matches('[');
        let section = section.split([']', ' ', '.', '\n', '=']).next().unwrap();
        let rest: String = GOOD
            .split("\n\n")
            .filter(|part| !part.contains(&format!("[{section}]")))
            .collect::<Vec<_>>()
            .join("\n\n");
        let whole = format!("{text}\n{rest}");
        let said_of_it = errors(file(&whole));
        let line = said_of_it
            .lines()
            .find(|line| said.iter().all(|word| line.contains(word)));
        assert!(
            line.is_some(),
            "{text}: expected {said:?} on one line of\n{said_of_it}"
        );
        assert!(!said_of_it.contains("s3cret"), "{said_of_it}");
    }
    // And nothing besides.
    let alone = errors(file(&format!("{GOOD}[relay]\nlease = \"soon\"\n")));
    assert_eq!(alone.lines().count(), 1, "{alone}");
}

#[test]
fn what_is_missing_is_named_with_all_ways_to_say_it() {
    let errors = errors(Sources::default());
    assert!(
        errors.contains(
            "database.url: it is missing: say it in the file, as OUTBOX_DATABASE_URL, or with --database-url"
        ),
        "{errors}"
    );
    assert!(errors.contains("OUTBOX_BROKERS"), "{errors}");
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let sources = Sources {
        environment: variables(&[
            ("OUTBOX_RELAY_LEESE", "1s"),
            ("OUTBOX_LOG_FORMAT", "xml"),
            ("OUTBOX_ROUTES", "orders.placed"),
        ]),
        flags: vec![(Setting::of("relay.archive").unwrap(), vec!["maybe".to_owned()])],
        ..file(GOOD)
    };
    let errors = errors(sources);
    for said in [
        "OUTBOX_RELAY_LEESE: there is no such variable; did you mean OUTBOX_RELAY_LEASE?",
        "log.format = \"xml\" (OUTBOX_LOG_FORMAT): it has to be one of text, json",
        "routes (OUTBOX_ROUTES): each entry has the form TOPIC=BROKER",
        "relay.archive = \"maybe\" (--relay-archive): it has to be `true` or `false`",
    ] {
        assert!(errors.contains(said), "{said}\n{errors}");
    }
}

#[test]
fn a_broker_that_nothing_goes_to_is_named() {
    let text = GOOD.replace("\"*\" = \"books\"", "\"x.*\" = \"events\"");
    assert!(errors(file(&text)).contains("nothing goes to the broker \"books\""));
}

proptest! {
    #[test]
    fn nothing_panics(
        text in "\\PC{0,200}",
        toml in "(\\[(database|brokers|routes|relay|log)\\]\n|(url|lease|a|\"\\*\"|page_rows|name) = (\"\\PC{0,20}\"|-?[0-9]{1,20}|true|\\[\\]|\\{\\}|1.5)\n){0,8}",
        variables in proptest::collection::vec(("OUTBOX_(RELAY_LEASE|BROKERS|ROUTES|DATABASE_URL|X)", "\\PC{0,40}"), 0..4),
    ) {
        for text in [&text, &toml] {
            let sources = Sources { environment: variables.clone(), ..file(text) };
            if let Err(errors) = sources.read(Purpose::Deliver) {
                prop_assert!(!errors.0.is_empty());
                let _ = errors.to_string();
            }
        }
    }
}
