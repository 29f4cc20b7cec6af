//! How RocketMQ is run as a server: name server, broker and proxy in one process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::identity::Identity;
use crate::native_server::Program;
use crate::rocketmq::{RocketMqBinaries, RocketMqOptions};
use crate::{HarnessError, port, probe};

/// The official start scripts run the name server and the rest as two processes, which could not be harmed as one, and listen on
/// every address. Java compiles this when it starts.
const LAUNCHER: &str = include_str!("Launcher.java");

/// Goes to standard output, so that the end of the log is there to be quoted. Warnings are many and say nothing.
const LOGGING: &str = r#"<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %level %logger %msg%n</pattern></encoder>
  </appender>
  <root level="ERROR"><appender-ref ref="out"/></root>
</configuration>
"#;

/// What a server with little to do needs: small files and few threads; and that what was confirmed outlives SIGKILL. A send
/// that had to wait for a busy machine is not refused, and a disk may be nearly full. Each flush of the timer reads 38 MB, which
/// each second is half a processor; what it has not flushed it takes from the log again. It asks after a transaction more often
/// than by default, for as long: then it gives the message up.
const BROKER: &str = "\
brokerClusterName=DefaultCluster
brokerName=broker
bindAddress=127.0.0.1
brokerIP1=127.0.0.1
brokerIP2=127.0.0.1
flushDiskType=SYNC_FLUSH
flushConsumerOffsetInterval=1000
mappedFileSizeCommitLog=16777216
mappedFileSizeConsumeQueue=120000
mappedFileSizeTimerLog=1048576
maxHashSlotNum=10000
maxIndexNum=40000
reviveQueueNum=1
recoverThreadPoolNums=2
diskMaxUsedSpaceRatio=95
waitTimeMillsInSendQueue=5000
osPageCacheBusyTimeOutMills=5000
autoCreateTopicEnable=true
defaultTopicQueueNums=8
autoCreateSubscriptionGroup=true
timerWheelEnable=true
timerPrecisionMs=100
timerFlushIntervalMs=10000
transactionTimeOut=1000
transactionCheckInterval=1000
transactionCheckMax=450
traceOn=false
";

/// Where else it listens, the same over restarts. The broker takes the port two below its own, too.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ports {
    pub(crate) name_server: u16,
    pub(crate) broker: u16,
}

/// Java with the jars, and what goes into the files of configuration.
#[derive(Debug)]
pub(crate) struct RocketMqProgram {
    binaries: RocketMqBinaries,
    options: RocketMqOptions,
    ports: Ports,
}

impl RocketMqProgram {
    pub(crate) fn new(binaries: RocketMqBinaries, options: &RocketMqOptions) -> Self {
        Self {
            binaries,
            options: options.clone(),
            ports: Ports::default(),
        }
    }

    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    fn proxy(&self) -> String {
        let mut settings = self.options.proxy.clone();
        let name_server = format!("\"127.0.0.1:{}\"", self.ports.name_server);
        let ours = [
            ("proxyMode", "\"local\""),
            ("localServeAddr", "\"127.0.0.1\""),
            ("namesrvAddr", &name_server),
            // Any topic takes messages of any kind, in order, later, or in a transaction.
            ("enableTopicMessageTypeCheck", "false"),
        ];
        for (name, value) in ours {
            settings
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        let fields: Vec<String> = settings
            .iter()
            .map(|(name, value)| format!("\"{name}\": {value}"))
            .collect();
        format!("{{\n  {}\n}}\n", fields.join(",\n  "))
    }
}

impl Program for RocketMqProgram {
    const NAME: &'static str = "RocketMQ";

    const STOP: Signal = Signal::SIGTERM;

    /// Where somebody made one.
    const USER: &'static str = "rocketmq";

    fn initialise(&self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        fs::create_dir(data).map_err(HarnessError::io(format!("make {}", data.display())))?;
        write(identity, &launcher(data), LAUNCHER)?;
        write(identity, &logging(data), LOGGING)?;
        identity.own(data)
    }

    fn choose_ports(&mut self, identity: &Identity, data: &Path) -> Result<(), HarnessError> {
        self.ports = Ports {
            name_server: port::free_port()?,
            broker: port::free_port()?,
        };
        let broker = format!(
            "{BROKER}namesrvAddr=127.0.0.1:{}\nlistenPort={}\nstorePathRootDir={}\nstorePathCommitLog={}\n{}",
            self.ports.name_server,
            self.ports.broker,
            data.join("store").display(),
            data.join("store/commitlog").display(),
            self.options.configuration
        );
        write(identity, &broker_configuration(data), &broker)?;
        write(identity, &proxy_configuration(data), &self.proxy())
    }

    fn command(&self, data: &Path, port: u16) -> Command {
        let jars = self.binaries.java();
        let mut server = jars.java_with_archive(self.options.archive.as_deref());
        let settings = [
            // Nothing of it is read or written outside of its folder.
            format!("-Drocketmq.home.dir={}", data.display()),
            format!("-Duser.home={}", data.display()),
            format!("-Djava.io.tmpdir={}", data.display()),
            format!("-Drmq.logback.configurationFile={}", logging(data).display()),
            // It would make itself a certificate at each start, which takes longer than all the rest.
            "-Dtls.test.mode.enable=false".to_owned(),
        ];
        let tls = match &self.options.tls {
            None => vec![
                "-Dtls.server.mode=disabled".to_owned(),
                "-Dtls.enable=false".to_owned(),
            ],
            Some((certificate, key)) => vec![
                "-Dtls.server.mode=enforcing".to_owned(),
                format!("-Dtls.server.certPath={}", certificate.display()),
                format!("-Dtls.server.keyPath={}", key.display()),
                // The broker is a client of the name server's.
                "-Dtls.enable=true".to_owned(),
                "-Dtls.client.authServer=false".to_owned(),
            ],
        };
        server
            .args(settings)
            .args(tls)
            .arg(launcher(data))
            .arg(self.ports.name_server.to_string())
            .arg(broker_configuration(data))
            .arg(proxy_configuration(data))
            .arg(port.to_string());
        server
    }

    /// The proxy listens when the broker has recovered and the name server knows it.
    fn is_ready(&self, _data: &Path, port: u16, pid: u32) -> bool {
        probe::listens(pid, port) && probe::http2("127.0.0.1", port)
    }
}

fn write(identity: &Identity, file: &Path, text: &str) -> Result<(), HarnessError> {
    fs::write(file, text).map_err(HarnessError::io(format!("write {}", file.display())))?;
    identity.own(file)
}

fn launcher(data: &Path) -> PathBuf {
    data.join("Launcher.java")
}

fn logging(data: &Path) -> PathBuf {
    data.join("logback.xml")
}

fn broker_configuration(data: &Path) -> PathBuf {
    data.join("broker.conf")
}

fn proxy_configuration(data: &Path) -> PathBuf {
    data.join("rmq-proxy.json")
}
