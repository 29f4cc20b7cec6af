//! A service killed between its handler's commit and its answer, and clients that are gone in the middle.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use outbox_test_harness::{ChildProcess, Scratch, TestDatabase, requirement};
use outbox_tests::Effects;
use sqlx::{PgPool, Postgres};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::effect::ledger;
use crate::support::SOON;

struct Service {
    process: ChildProcess,
    address: String,
}

impl Service {
    fn start(database: &TestDatabase) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fault-http"));
        command.args(["--database", database.url()]);
        let mut process = ChildProcess::spawn(command).unwrap();
        let ready = process
            .line_where(SOON, |line| line.starts_with("ready "))
            .unwrap();
        let address = ready["ready ".len()..].to_owned();
        Self { process, address }
    }

    async fn send(&self, path: &str, header: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nidempotency-key: \"key of {path}\"\r\n{header}content-length: 1\r\nconnection: close\r\n\r\nx"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// The whole answer, as text; empty if the service died of the question.
    async fn ask(&self, path: &str, header: &str) -> String {
        let mut answer = String::new();
        // A process that was killed may reset the connection.
        let _ = self.send(path, header).await.read_to_string(&mut answer).await;
        answer
    }

    fn has_died(mut self) {
        let status = self.process.wait_timeout(SOON).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }
}

async fn effects(pool: &PgPool, group: &str) -> usize {
    let effects: HashMap<_, usize> = Postgres::effects(pool, group).await.unwrap();
    effects.values().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_transactional_form_gives_the_answer_of_a_service_that_died() {
    let Some(database) = requirement::shared_postgres_database() else {
        return;
    };
    let pool = ledger(database.url(), 2).await;
    let service = Service::start(&database);
    assert_eq!(service.ask("/transactional", "x-die: now\r\n").await, "");
    service.has_died();
    let service = Service::start(&database);
    for _ in 0..3 {
        let answer = service.ask("/transactional", "").await;
        assert!(
            answer.starts_with("HTTP/1.1 201 ") && answer.ends_with("placed"),
            "{answer}"
        );
        assert!(answer.contains("idempotency-replayed: true"), "{answer}");
    }
    assert_eq!(effects(&pool, "transactional").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_layer_says_that_the_outcome_is_unknown_and_never_does_it_again() {
    let Some(database) = requirement::shared_postgres_database() else {
        return;
    };
    let pool = ledger(database.url(), 2).await;
    let service = Service::start(&database);
    assert_eq!(service.ask("/layered", "x-die: now\r\n").await, "");
    service.has_died();
    let service = Service::start(&database);
    let begun = Instant::now();
    loop {
        let answer = service.ask("/layered", "").await;
        assert!(answer.starts_with("HTTP/1.1 409 "), "{answer}");
        if answer.contains("outcome-unknown") {
            break;
        }
        assert!(answer.contains("request-in-flight"), "{answer}");
        assert!(begun.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(service.ask("/layered", "").await.contains("outcome-unknown"));
    assert_eq!(effects(&pool, "layered").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_gone_in_the_middle_gets_its_answer_when_it_asks_again() {
    let Some(database) = requirement::shared_postgres_database() else {
        return;
    };
    let pool = ledger(database.url(), 2).await;
    let scratch = Scratch::new().unwrap();
    let mut service = Service::start(&database);
    for (path, group) in [("/transactional", "transactional"), ("/layered", "layered")] {
        let until = scratch.path().join(group);
        let header = format!("x-hold: {}\r\n", until.display());
        let gone = service.send(path, &header).await;
        service
            .process
            .line_where(SOON, |line| line == "holding")
            .unwrap();
        drop(gone);
        assert!(service.ask(path, "").await.contains("request-in-flight"));
        std::fs::write(until, "").unwrap();
        let begun = Instant::now();
        loop {
            let answer = service.ask(path, "").await;
            if answer.starts_with("HTTP/1.1 201 ") {
                assert!(answer.contains("idempotency-replayed: true"), "{answer}");
                break;
            }
            assert!(begun.elapsed() < SOON, "{answer}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(effects(&pool, group).await, 1);
    }
}
