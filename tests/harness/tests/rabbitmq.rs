//! The harness against a real RabbitMQ: what a test does to its server must really happen to it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::{Ipv4Addr, TcpStream};

use outbox_test_harness::{HarnessError, RabbitMq, RabbitMqOptions, requirement};

/// The processes that were started for this server: its folder is in their environment.
fn processes(server: &RabbitMq) -> Vec<String> {
    let mark = format!("HOME={}", server.data_folder().display());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let of_server = entries.filter(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
    });
    of_server
        .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

fn connects(server: &RabbitMq) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_ok()
}

#[test]
fn a_killed_server_is_gone_with_its_helpers_and_comes_back_on_its_port() {
    let Some(mut server) = requirement::private_rabbitmq(&RabbitMqOptions::new()) else {
        return;
    };
    let (port, running) = (server.port(), processes(&server));
    assert!(running.iter().any(|name| name.contains("beam")), "{running:?}");
    assert!(running.len() > 1, "the server has helpers: {running:?}");
    assert!(
        !running.iter().any(|name| name.contains("epmd")),
        "it would outlive the server: {running:?}"
    );
    let node = server.data_folder().join("mnesia/test@localhost");
    assert!(node.is_dir(), "its data is in its folder");

    server.kill().unwrap();
    assert!(!connects(&server), "something still listens");
    assert_eq!(processes(&server), Vec::<String>::new());

    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert!(connects(&server));
    // One that stops in order comes back too.
    server.restart().unwrap();
    assert!(connects(&server));

    let folder = server.data_folder();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn settings_reach_the_server_and_a_wrong_one_is_named() {
    let options = RabbitMqOptions::new().configuration("no.such.setting = 1");
    if requirement::rabbitmq_program().is_err() {
        // The other test has said that there is none.
        return;
    }
    let error = RabbitMq::start_with(&options).unwrap_err();
    assert!(matches!(error, HarnessError::EndedEarly { .. }), "{error}");
    assert!(error.to_string().contains("no.such.setting"), "{error}");
}
