//! A private master with a replica and a sentinel that promotes it.

use std::time::{Duration, Instant};

use crate::HarnessError;
use crate::native_server::NativeServer;
use crate::redis::program::{self, RedisProgram};
use crate::redis::sentinel::SentinelProgram;
use crate::redis::{RedisBinaries, RedisClient};

/// The name under which the sentinel knows the master.
const MASTER: &str = "outbox";

const READY_WITHIN: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(10);

/// A master, a replica that follows it, and the sentinel that watches both, from the program on the machine. Gone when
/// the value is dropped or the test process ends.
#[derive(Debug)]
pub struct RedisFailover {
    master: NativeServer<RedisProgram>,
    replica: NativeServer<RedisProgram>,
    sentinel: NativeServer<SentinelProgram>,
}

impl RedisFailover {
    /// Starts the three and waits until the sentinel knows the replica.
    ///
    /// # Errors
    ///
    /// When there is no server on the machine, or one doesn't come up.
    pub fn start() -> Result<Self, HarnessError> {
        let binaries = RedisBinaries::find()?;
        // The default waits five seconds for further replicas.
        let at_once = ("repl-diskless-sync-delay".to_owned(), "0".to_owned());
        let program = RedisProgram::new(binaries.clone(), vec![at_once.clone()]);
        let master = NativeServer::start(program, READY_WITHIN)?;
        let follows = ("replicaof".to_owned(), format!("127.0.0.1 {}", master.port()));
        let program = RedisProgram::new(binaries.clone(), vec![at_once, follows]);
        let replica = NativeServer::start(program, READY_WITHIN)?;
        // A sentinel asks a master for its replicas at once and then every ten seconds.
        wait_for(master.port(), &["INFO", "replication"], |info| {
            info.contains("state=online")
        })?;
        let program = SentinelProgram::new(binaries, MASTER, master.port());
        let sentinel = NativeServer::start(program, READY_WITHIN)?;
        wait_for(sentinel.port(), &["SENTINEL", "REPLICAS", MASTER], |replicas| {
            // A replica whose own state isn't known yet would not be promoted.
            replicas.contains("master-link-status\nok")
        })?;
        Ok(Self {
            master,
            replica,
            sentinel,
        })
    }

    /// `host:port` of the sentinel.
    pub fn sentinel_address(&self) -> String {
        format!("127.0.0.1:{}", self.sentinel.port())
    }

    /// The name under which the sentinel knows the master.
    pub fn master_name(&self) -> &'static str {
        MASTER
    }

    /// URL of what was the replica at the start.
    pub fn replica_url(&self) -> String {
        program::url(self.replica.port())
    }

    /// Kills the master and waits until the replica was promoted and the sentinel says so.
    ///
    /// # Errors
    ///
    /// [`HarnessError::NotReady`] when that takes longer than a minute.
    pub fn fail_over(&mut self) -> Result<(), HarnessError> {
        self.master.kill()?;
        let promoted = format!("127.0.0.1\n{}", self.replica.port());
        let asked = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
        wait_for(self.sentinel.port(), &asked, |answer| answer == promoted)?;
        wait_for(self.replica.port(), &["ROLE"], |role| role.starts_with("master"))
    }
}

fn wait_for(port: u16, command: &[&str], is_so: impl Fn(&str) -> bool) -> Result<(), HarnessError> {
    let mut client = RedisClient::connect(&program::url(port))?;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let answer = client.run(command)?;
        if is_so(&answer) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(HarnessError::NotReady {
                what: format!("Redis on port {port}, asked for {}", command.join(" ")),
                waited: READY_WITHIN,
                log_tail: answer,
            });
        }
        std::thread::sleep(POLL);
    }
}
