//! The program that keeps one container, and how it is spoken to.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::container::ContainerImage;
use crate::container::protocol::{Kind, Reply, Request};
use crate::output::{self, Lines};
use crate::{HarnessError, Scratch};

/// An image may have to be fetched first.
const START_WITHIN: Duration = Duration::from_secs(600);

/// Longer than the helper gives a server to shut down.
const REPLY_WITHIN: Duration = Duration::from_secs(90);

/// How long removing a container may take.
const END_WITHIN: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(2);

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) kind: Kind,
    pub(crate) image: &'a ContainerImage,
    pub(crate) port: u16,
    pub(crate) settings: &'a [(String, String)],
}

/// A helper and with it a container, removed when this value is dropped or this process ends: the helper's input
/// ends then.
#[derive(Debug)]
pub(crate) struct Helper {
    child: Child,
    requests: Option<ChildStdin>,
    replies: Lines,
    host: String,
    _scratch: Scratch,
}

impl Helper {
    /// Returns when the container was started; its server may not answer yet.
    pub(crate) fn start(order: &Order<'_>) -> Result<Self, HarnessError> {
        let program = &order.image.helper;
        let scratch = Scratch::new()?;
        let error = || HarnessError::io(format!("start {}", program.display()));
        let mut command = Command::new(program);
        command
            .args(["--kind", &order.kind.to_string(), "--image", &order.image.image])
            .args(["--port", &order.port.to_string()]);
        for (name, value) in order.settings {
            command.arg("--setting").arg(format!("{name}={value}"));
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output::append(&scratch.path().join("helper.stderr.log")).map_err(error())?)
            // An interrupt from the terminal must not reach it before it has removed its container.
            .process_group(0);
        let mut child = command.spawn().map_err(error())?;
        let requests = child.stdin.take();
        let stdout = child.stdout.take();
        let replies = stdout
            .ok_or_else(|| std::io::Error::other("its output is not piped"))
            .and_then(|stdout| Lines::capture(stdout, &scratch.path().join("helper.stdout.log")))
            .map_err(error())?;
        let mut helper = Self {
            child,
            requests,
            replies,
            host: String::new(),
            _scratch: scratch,
        };
        helper.host = helper.reply(START_WITHIN)?;
        Ok(helper)
    }

    /// The host on which the port is.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request and waits for what comes of it.
    pub(crate) fn ask(&mut self, request: Request) -> Result<String, HarnessError> {
        let requests = self.requests.as_mut();
        requests
            .ok_or_else(|| std::io::Error::other("its input is closed"))
            .and_then(|requests| writeln!(requests, "{request}"))
            .map_err(HarnessError::io(format!(
                "ask the helper for containers to {request}"
            )))?;
        self.reply(REPLY_WITHIN)
    }

    fn reply(&mut self, within: Duration) -> Result<String, HarnessError> {
        let line = self
            .replies
            .next(Instant::now() + within)
            .map_err(HarnessError::io("hear from the helper for containers"))?;
        match line.as_deref().map(str::parse) {
            Some(Ok(Reply::Ok(text))) => Ok(text),
            Some(Ok(Reply::Failed(reason))) => Err(HarnessError::Container(reason)),
            Some(Err(error)) => Err(error),
            None => Err(HarnessError::Container("the helper has ended".to_owned())),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.requests.take());
        let deadline = Instant::now() + END_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                // The next helper sweeps the container.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}
