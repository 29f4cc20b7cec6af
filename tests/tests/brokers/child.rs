//! A member in a process of its own, to be killed and frozen.

use std::process::Command;
use std::time::Duration;

use outbox_brokers::Ordering;
use outbox_test_harness::ChildProcess;

use crate::engine::{GROUP, Member, Seen, connect};
use crate::support::SOON;

const URL: &str = "OUTBOX_TEST_MEMBER_URL";

/// What the process does: it takes one message, and holds it. By itself it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_member_that_is_harmed() {
    let Ok(url) = std::env::var(URL) else { return };
    let broker = connect(&url).await;
    let mut member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
    let waits = async {
        // By now the server has its question, and keeps it for longer than that.
        tokio::time::sleep(Duration::from_millis(200)).await;
        println!("\nwaits");
    };
    let (held, ()) = tokio::join!(member.one(), waits);
    println!("\nholds {:?} {}", Seen::of(&held).text, held.attempt());
    std::future::pending::<()>().await;
}

/// Runs one of this program's tests by itself, which a variable tells to do something.
pub fn run(test: &str, variable: &str, value: &str) -> ChildProcess {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(variable, value);
    ChildProcess::spawn(command).unwrap()
}

/// A process that joins [`GROUP`] and takes one message.
pub struct Harmed(pub ChildProcess);

impl Harmed {
    pub fn join(url: &str) -> Self {
        Self(run("child::the_member_that_is_harmed", URL, url))
    }

    /// It has asked for a message, and there is none yet.
    pub fn waits(&mut self) {
        self.0.line_where(SOON, |line| line == "waits").unwrap();
    }

    /// The text of the message that it has in hand, and which attempt.
    pub fn holds(&mut self) -> String {
        let line = self
            .0
            .line_where(SOON, |line| line.starts_with("holds "))
            .unwrap();
        line.trim_start_matches("holds ").to_owned()
    }
}
