use std::net::SocketAddr;
use std::process::Command;

use order_service::client::Client;
use outbox_test_harness::ChildProcess;

use super::{Place, SOON, Shop};

/// The variables that the program listens to.
const HEARD: [&str; 12] = [
    "DATABASE_URL",
    "QUEUE",
    "BIND",
    "DRAIN_NOTICE",
    "RUST_LOG",
    "REDIS_URL",
    "ROLE",
    "PAY_WITHIN",
    "TRANSIT",
    "CONFIRM_WITHIN",
    "CONSUMER_RATE",
    "PLAYGROUND",
];

/// The program, running.
pub(crate) struct Binary {
    pub(crate) process: ChildProcess,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) shop: Shop,
}

impl Binary {
    /// A command line of the program, with nothing of the environment that it would listen to.
    pub(crate) fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_order-service"));
        command.args(arguments);
        for variable in HEARD {
            command.env_remove(variable);
        }
        command
    }

    /// Serves what is in `place` on a free port.
    pub(crate) fn serve(place: &Place) -> Self {
        Self::serve_with(place, &[])
    }

    pub(crate) fn serve_with(place: &Place, environment: &[(&str, &str)]) -> Self {
        let mut command = Self::command(&[]);
        command
            .env("DATABASE_URL", place.url())
            .env("BIND", "127.0.0.1:0")
            .env("TRANSIT", "0.05");
        if let Some(redis) = place.redis() {
            command.env("REDIS_URL", redis);
        }
        command.envs(environment.iter().copied());
        let mut process = ChildProcess::spawn(command).unwrap();
        let line = process
            .line_where(SOON, |line| line.starts_with("listening on "))
            .unwrap();
        let address: SocketAddr = line.rsplit_once("http://").unwrap().1.parse().unwrap();
        Self {
            process,
            address,
            client: Client::new(address),
            shop: Shop::new(address),
        }
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.process.stderr_log()).unwrap()
    }

    /// Runs the program to its end: exit code, standard output, standard error.
    pub(crate) fn run(mut command: Command) -> (Option<i32>, String, String) {
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}
