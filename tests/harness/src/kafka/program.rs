//! How Kafka is run as a server: broker and controller in one process.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::identity::Identity;
use crate::kafka::{KafkaBinaries, KafkaOptions, template};
use crate::native_server::Program;
use crate::{HarnessError, port, probe, programs};

/// One that is there answers at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Any 16 bytes do.
const CLUSTER: &str = "b3V0Ym94LXRlc3QtMDAwMA";

/// What a server with little to do needs: few threads, few and small files, no waiting for further members, and none for its own
/// predecessor that was killed.
const SMALL: &str = "\
num.network.threads=2
num.io.threads=2
num.replica.fetchers=1
num.recovery.threads.per.data.dir=1
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
log.segment.bytes=16777216
log.index.size.max.bytes=65536
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.segment.bytes=1048576
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.segment.bytes=1048576
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=100
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
";

/// Where those are passed on to who come by another way, and where they have to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecondWay {
    pub(crate) listens: u16,
    pub(crate) advertised: u16,
}

/// Java with the jars, and the lines of the configuration.
#[derive(Debug)]
pub(crate) struct KafkaProgram {
    binaries: KafkaBinaries,
    configuration: String,
    tls: bool,
    scram: Option<(String, String)>,
    second_way: Option<SecondWay>,
    archive: Option<PathBuf>,
}

impl KafkaProgram {
    pub(crate) fn new(binaries: KafkaBinaries, options: &KafkaOptions) -> Result<Self, HarnessError> {
        let security = options.security();
        let configuration = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=CLIENT\n\
             listener.security.protocol.map=CLIENT:{security},WAY:{security},CONTROLLER:PLAINTEXT\n\
             {SMALL}{}",
            options.configuration
        );
        let second_way = match options.second_way {
            true => Some(SecondWay {
                listens: port::free_port()?,
                advertised: port::free_port()?,
            }),
            false => None,
        };
        Ok(Self {
            binaries,
            configuration,
            tls: options.tls,
            scram: options.scram.clone(),
            second_way,
            archive: options.archive.clone(),
        })
    }

    pub(crate) fn second_way(&self) -> Option<SecondWay> {
        self.second_way
    }

    fn format(&self, folder: &Path) -> Result<(), HarnessError> {
        let file = folder.with_extension("properties");
        // It wants to be told of a node, though nothing of it is written down.
        let configuration = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             controller.quorum.voters=1@127.0.0.1:9093\n\
             log.dirs={}\n",
            folder.display()
        );
        fs::write(&file, configuration).map_err(HarnessError::io(format!("write {}", file.display())))?;
        let mut format = self.binaries.java();
        format
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                CLUSTER,
                "--config",
            ])
            .arg(&file);
        if let Some((user, password)) = &self.scram {
            format.arg("--add-scram");
            format.arg(format!("SCRAM-SHA-256=[name={user},password={password}]"));
        }
        programs::run_to_end("kafka.tools.StorageTool", format).map(drop)
    }
}

impl Program for KafkaProgram {
    const NAME: &'static str = "Kafka";

    const STOP: Signal = Signal::SIGTERM;

    /// Where somebody made one.
    const USER: &'static str = "kafka";

    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        fs::create_dir(data).map_err(HarnessError::io(format!("make {}", data.display())))?;
        match &self.scram {
            None => template::copy(&log_folder(data), |folder| self.format(folder))?,
            Some(_) => self.format(&log_folder(data))?,
        }
        let file = configuration(data);
        fs::write(&file, &self.configuration)
            .map_err(HarnessError::io(format!("write {}", file.display())))?;
        let logs = fs::read_dir(log_folder(data)).into_iter().flatten().flatten();
        for path in logs.map(|entry| entry.path()) {
            identity.own(&path)?;
        }
        identity.own(&log_folder(data))?;
        identity.own(&file)?;
        identity.own(data)
    }

    fn command(&self, data: &Path, port: u16) -> Command {
        // Nobody but the server itself uses it; where none is free it says so itself.
        let controller = port::free_port().unwrap_or(port);
        let mut server = self.binaries.java_with_archive(self.archive.as_deref());
        server.arg("kafka.Kafka").arg(configuration(data));
        let (listens, advertised) = match self.second_way {
            Some(way) => (
                format!(",WAY://127.0.0.1:{}", way.listens),
                format!(",WAY://127.0.0.1:{}", way.advertised),
            ),
            None => Default::default(),
        };
        let settings = [
            format!("listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listens}"),
            format!("advertised.listeners=CLIENT://127.0.0.1:{port}{advertised}"),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
            format!("log.dirs={}", log_folder(data).display()),
        ];
        for setting in settings {
            server.args(["--override", &setting]);
        }
        server
    }

    /// It listens for clients when it has recovered and is a member of its cluster.
    fn is_ready(&self, _data: &Path, port: u16, pid: u32) -> bool {
        probe::listens(pid, port) && (self.tls || answers(port))
    }
}

fn configuration(data: &Path) -> PathBuf {
    data.join("server.properties")
}

fn log_folder(data: &Path) -> PathBuf {
    data.join("log")
}

/// Whether it says which requests it knows, the first thing that a client asks.
fn answers(port: u16) -> bool {
    /// Length, the request 18 in version 0, its number 1, and no name of a client.
    const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, ANSWERS_WITHIN) else {
        return false;
    };
    // Length and the number of the request.
    let mut answer = [0; 8];
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).is_ok()
        && stream.write_all(&API_VERSIONS).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer[4..] == [0, 0, 0, 1]
}
