//! A private Redis Cluster.

use std::time::{Duration, Instant};

use crate::HarnessError;
use crate::native_server::NativeServer;
use crate::redis::program::{self, RedisProgram};
use crate::redis::{RedisBinaries, RedisClient};

/// Masters, each with a third of the slots: the least with which a majority is more than one.
const NODES: u16 = 3;

const SLOTS: u16 = 16_384;

/// A master waits for two seconds after its start before it takes writes.
const READY_WITHIN: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(10);

/// Three running masters that share the slots, from the program on the machine: nodes in containers would announce
/// addresses that lead nowhere. Gone when the value is dropped or the test process ends.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<NativeServer<RedisProgram>>,
}

impl RedisCluster {
    /// Starts the nodes, makes them known to each other, and waits until each sees all slots served.
    ///
    /// # Errors
    ///
    /// When there is no server on the machine, or the cluster doesn't come up.
    pub fn start() -> Result<Self, HarnessError> {
        let binaries = RedisBinaries::find()?;
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let settings = vec![("cluster-enabled".to_owned(), "yes".to_owned())];
            let program = RedisProgram::new(binaries.clone(), settings);
            nodes.push(NativeServer::start(program, READY_WITHIN)?);
        }
        let cluster = Self { nodes };
        cluster.join()?;
        Ok(cluster)
    }

    /// `host:port` of each node.
    pub fn addresses(&self) -> Vec<String> {
        let ports = self.nodes.iter().map(NativeServer::port);
        ports.map(|port| format!("127.0.0.1:{port}")).collect()
    }

    fn join(&self) -> Result<(), HarnessError> {
        let share = SLOTS.div_ceil(NODES);
        let mut clients = Vec::new();
        for (node, first) in self.nodes.iter().zip((0..SLOTS).step_by(usize::from(share))) {
            let mut client = RedisClient::connect(&program::url(node.port()))?;
            let last = (first + share).min(SLOTS) - 1;
            client.run(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
            clients.push(client);
        }
        // Each to each: what they tell of one another by themselves takes seconds.
        for (index, client) in clients.iter_mut().enumerate() {
            for other in self.nodes.iter().skip(index + 1) {
                client.run(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string()])?;
            }
        }
        let deadline = Instant::now() + READY_WITHIN;
        for client in &mut clients {
            while !serves_all(&client.run(&["CLUSTER", "INFO"])?) {
                if Instant::now() >= deadline {
                    return Err(self.not_ready());
                }
                std::thread::sleep(POLL);
            }
        }
        Ok(())
    }

    fn not_ready(&self) -> HarnessError {
        HarnessError::NotReady {
            what: "a Redis cluster".to_owned(),
            waited: READY_WITHIN,
            log_tail: self.nodes.iter().map(NativeServer::log_tail).collect(),
        }
    }
}

/// Whether this node knows the others and takes writes.
fn serves_all(info: &str) -> bool {
    let has = |wanted: String| info.lines().any(|line| line.trim() == wanted);
    has("cluster_state:ok".to_owned())
        && has(format!("cluster_size:{NODES}"))
        && has(format!("cluster_slots_ok:{SLOTS}"))
}
