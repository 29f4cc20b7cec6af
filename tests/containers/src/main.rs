//! Keeps one server in a container for as long as its standard input is open.
//!
//! The harness starts this program, reads a reply from its standard output once the container runs, then sends
//! requests, a line each, and reads a reply to each; see [`outbox_test_harness::container::protocol`]. When the input
//! ends, and that it does also when the test process is killed, the container is removed with its data.

mod arguments;
mod container;
mod owner;
mod recipe;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use outbox_test_harness::container::protocol::{Reply, Request};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use crate::arguments::Arguments;
use crate::container::Container;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What killed helpers left behind. Best effort: a failure shows at the start of our own container.
    let _ = owner::sweep().await;
    let container = match Container::start(&arguments).await {
        Ok(container) => container,
        Err(error) => {
            answer(Err(error));
            return ExitCode::FAILURE;
        }
    };
    answer(Ok(container.host().to_owned()));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(request) = next(&mut lines).await {
        answer(serve(&container, &request).await);
    }
    match container.remove().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the container is left behind: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// An input that can't be read has ended as far as we are concerned.
async fn next(lines: &mut Lines<BufReader<Stdin>>) -> Option<String> {
    lines.next_line().await.ok().flatten()
}

async fn serve(container: &Container, request: &str) -> Result<String> {
    match request.parse()? {
        Request::Start => container.start_again().await,
        Request::Stop => container.stop().await,
        Request::Kill => container.kill().await,
        Request::Pause => container.pause().await,
        Request::Unpause => container.unpause().await,
        Request::State => container.state().await.map(|state| state.to_string()),
        Request::Log => container.log().await,
    }
}

/// Who doesn't read any more needs no answer: the input is about to end, too.
fn answer(result: Result<String>) {
    let reply = match result {
        Ok(text) => Reply::Ok(text),
        Err(error) => Reply::Failed(format!("{error:#}")),
    };
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{reply}").and_then(|()| stdout.flush());
}
