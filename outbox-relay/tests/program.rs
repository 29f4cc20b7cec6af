#![allow(clippy::unwrap_used)]
//! The program as it is called.

use std::process::{Command, Output};

fn relay(folder: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outbox-relay"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OUTBOX_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_file_in_the_folder_is_read_and_what_is_wrong_ends_it_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let missing = relay(folder.path(), &["config"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("--database-url"));
    let file = "database.url = \"sqlite://shop.db\"\nbrokers.events = \"nats://u:s3cret@localhost\"\n";
    std::fs::write(folder.path().join("outbox-relay.toml"), file).unwrap();
    let shown = relay(folder.path(), &["config", "--relay-lease", "21s"]);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    assert!(shown.contains("lease = \"21s\" # --relay-lease"), "{shown}");
    assert!(
        shown.contains("url = \"sqlite://shop.db\" # outbox-relay.toml, line 1"),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"));
    let no_file = relay(folder.path(), &["config", "--config", "nowhere.toml"]);
    assert_eq!(no_file.status.code(), Some(2));
    assert!(text(&no_file.stderr).contains("nowhere.toml can't be read"));
    let no_flag = relay(folder.path(), &["config", "--relay-leese", "21s"]);
    assert_eq!(no_flag.status.code(), Some(2));
}

#[test]
fn tables_are_made_and_printed() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let migrated = relay(folder.path(), &["migrate", "--database-url", "sqlite://shop.db"]);
        assert_eq!(migrated.status.code(), Some(0), "{}", text(&migrated.stderr));
    }
    assert!(folder.path().join("shop.db").exists());
    for dialect in ["postgres", "mysql", "sqlite"] {
        let schema = text(&relay(folder.path(), &["schema", dialect]).stdout);
        assert!(
            schema.contains("outbox (") && schema.contains("outbox_audit"),
            "{dialect}"
        );
    }
    let away = relay(
        folder.path(),
        &["migrate", "--database-url", "postgres://u:s3cret@127.0.0.1:1/x"],
    );
    assert_eq!(away.status.code(), Some(1));
    let said = text(&away.stderr);
    assert!(
        said.contains("the database can't be reached") && !said.contains("s3cret"),
        "{said}"
    );
}

#[test]
fn the_help_names_every_setting() {
    let folder = tempfile::tempdir().unwrap();
    let help = text(&relay(folder.path(), &["config", "--help"]).stdout);
    for setting in outbox_relay::config::SETTINGS {
        assert!(help.contains(&format!("--{}", setting.flag())), "{}", setting.key);
    }
}
