//! A process of ours under test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::identity::Identity;
use crate::output::{self, Lines};
use crate::{HarnessError, Scratch, process_tree, programs, spawner};

/// The longest pause between two looks at whether a process has ended.
const POLL_AT_MOST: Duration = Duration::from_millis(5);

/// A started program whose output is captured. Killed on drop, with everything it started, and when the test process
/// ends in whichever way.
#[derive(Debug)]
pub struct ChildProcess {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    lines: Lines,
    logs: Logs,
    // Keeps the folder of the logs until the process is gone; shared with a server's data folder.
    _scratch: Arc<Scratch>,
}

#[derive(Debug)]
struct Logs {
    stdout: PathBuf,
    stderr: PathBuf,
}

impl ChildProcess {
    /// Starts the command. Its standard streams are replaced: no input, captured output. Everything else of the
    /// command is kept, except for `env_clear`, which can't be seen from outside.
    ///
    /// # Errors
    ///
    /// When the program isn't found, or can't be started.
    pub fn spawn(command: Command) -> Result<Self, HarnessError> {
        Self::spawn_as(&command, &Identity::Same, &Arc::new(Scratch::new()?))
    }

    pub(crate) fn spawn_as(
        command: &Command,
        identity: &Identity,
        scratch: &Arc<Scratch>,
    ) -> Result<Self, HarnessError> {
        let program = programs::find(command.get_program())?;
        let name = program
            .file_name()
            .unwrap_or(program.as_os_str())
            .to_string_lossy()
            .into_owned();
        let error = || HarnessError::io(format!("start {name}"));
        let logs = Logs {
            stdout: scratch.path().join(format!("{name}.stdout.log")),
            stderr: scratch.path().join(format!("{name}.stderr.log")),
        };
        let mut wrapped = identity.wrap(command)?;
        wrapped.stdin(Stdio::null()).stdout(Stdio::piped());
        wrapped.stderr(output::append(&logs.stderr).map_err(error())?);
        let mut child = spawner::spawn(wrapped).map_err(error())?;
        let captured = child
            .stdout
            .take()
            .ok_or_else(|| std::io::Error::other("its output is not piped"))
            .and_then(|stdout| Lines::capture(stdout, &logs.stdout));
        let lines = captured.inspect_err(|_| abandon(&mut child)).map_err(error())?;
        Ok(Self {
            name,
            child,
            status: None,
            lines,
            logs,
            _scratch: Arc::clone(scratch),
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process and everything it started (SIGKILL), and waits until all of them are gone.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when one of them outlives the signal.
    pub fn kill9(&mut self) -> Result<(), HarnessError> {
        if self.status.is_some() {
            return Ok(());
        }
        let all_gone = process_tree::kill_all(self.pid());
        self.status = Some(
            self.child
                .wait()
                .map_err(HarnessError::io(format!("wait for {}", self.name)))?,
        );
        if all_gone {
            Ok(())
        } else {
            Err(self.still_running(Duration::ZERO))
        }
    }

    /// Stops the process and everything it started (SIGSTOP); on return they stand still.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] when one of them doesn't stop.
    pub fn freeze(&self) -> Result<(), HarnessError> {
        if self.status.is_some() || process_tree::freeze(self.pid()) {
            return Ok(());
        }
        Err(self.still_running(Duration::ZERO))
    }

    /// Lets frozen processes go on (SIGCONT).
    pub fn thaw(&self) {
        if self.status.is_none() {
            process_tree::thaw(self.pid());
        }
    }

    /// Asks the process to end (SIGTERM). Doesn't wait: see [`Self::wait_timeout`].
    ///
    /// # Errors
    ///
    /// When the system refuses the signal.
    pub fn terminate(&mut self) -> Result<(), HarnessError> {
        self.signal(Signal::SIGTERM)
    }

    /// Signals the process alone, unless it is known to have ended.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<(), HarnessError> {
        if self.try_wait()?.is_some() {
            return Ok(());
        }
        process_tree::signal_root(self.pid(), signal)
            .map_err(|errno| HarnessError::io(format!("send {signal} to {}", self.name))(errno.into()))
    }

    /// How the process ended, if it has.
    ///
    /// # Errors
    ///
    /// When the system refuses to say.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, HarnessError> {
        if self.status.is_none() {
            self.status = self
                .child
                .try_wait()
                .map_err(HarnessError::io(format!("wait for {}", self.name)))?;
        }
        Ok(self.status)
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    ///
    /// [`HarnessError::StillRunning`] after `timeout`; the process is left alone.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<ExitStatus, HarnessError> {
        let deadline = Instant::now() + timeout;
        let mut pause = Duration::from_micros(200);
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.still_running(timeout));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(POLL_AT_MOST);
        }
    }

    /// The next line that the process printed on its standard output; `None` when it has closed it.
    ///
    /// # Errors
    ///
    /// [`HarnessError::NoLine`] after `timeout`.
    pub fn next_line(&mut self, timeout: Duration) -> Result<Option<String>, HarnessError> {
        self.next_line_until(Instant::now() + timeout, timeout)
    }

    /// Reads on to the first line that satisfies the condition, for example "listening on …".
    ///
    /// # Errors
    ///
    /// [`HarnessError::NoLine`] after `timeout`, or when the output ends without such a line.
    pub fn line_where(
        &mut self,
        timeout: Duration,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> Result<String, HarnessError> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.next_line_until(deadline, timeout)? {
                Some(line) if wanted(&line) => return Ok(line),
                Some(_) => {}
                None => return Err(self.no_line(timeout)),
            }
        }
    }

    fn next_line_until(
        &mut self,
        deadline: Instant,
        timeout: Duration,
    ) -> Result<Option<String>, HarnessError> {
        self.lines.next(deadline).map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => self.no_line(timeout),
            _ => HarnessError::io(format!("read what {} printed", self.name))(error),
        })
    }

    /// Everything it printed on standard output so far goes to this file.
    pub fn stdout_log(&self) -> &Path {
        &self.logs.stdout
    }

    /// Everything it printed on standard error so far goes to this file.
    pub fn stderr_log(&self) -> &Path {
        &self.logs.stderr
    }

    /// The last lines of both logs, for a message to people.
    pub fn log_tail(&self) -> String {
        format!(
            "{}{}",
            output::tail(&self.logs.stdout),
            output::tail(&self.logs.stderr)
        )
    }

    fn still_running(&self, waited: Duration) -> HarnessError {
        HarnessError::StillRunning {
            what: self.name.clone(),
            waited,
            log_tail: self.log_tail(),
        }
    }

    fn no_line(&self, waited: Duration) -> HarnessError {
        HarnessError::NoLine {
            what: self.name.clone(),
            waited,
            log_tail: self.log_tail(),
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure.
        let _ = self.kill9();
    }
}

/// Ends a child that can't be handed out.
fn abandon(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> ChildProcess {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        ChildProcess::spawn(command).unwrap()
    }

    #[test]
    fn lines_come_as_they_are_printed_and_then_end() {
        let mut child = shell("echo one; echo two; printf three; echo oops >&2");
        assert_eq!(child.line_where(SOON, |line| line == "two").unwrap(), "two");
        assert_eq!(child.next_line(SOON).unwrap().as_deref(), Some("three"));
        assert_eq!(child.next_line(SOON).unwrap(), None);
        assert!(child.wait_timeout(SOON).unwrap().success());
        assert!(child.log_tail().contains("oops"));
    }

    #[test]
    fn a_line_that_does_not_come_is_an_error_at_the_deadline() {
        let mut child = shell("sleep 100");
        let error = child.next_line(Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, HarnessError::NoLine { .. }), "{error}");
    }

    #[test]
    fn kill9_takes_what_the_process_started_too() {
        let mut child = shell("sleep 1000 & echo $!; wait");
        let grandchild = child.next_line(SOON).unwrap().unwrap();
        child.kill9().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
        assert!(!child.wait_timeout(SOON).unwrap().success());
    }

    #[test]
    fn a_frozen_process_prints_nothing_until_it_is_thawed() {
        let mut child = shell("while echo tick; do sleep 0.01; done");
        child.next_line(SOON).unwrap();
        child.freeze().unwrap();
        // What was printed before it froze may still be on its way; then silence.
        let silent = Duration::from_millis(300);
        while child.next_line(silent).is_ok() {}
        assert!(child.next_line(silent).is_err());
        child.thaw();
        assert_eq!(child.next_line(SOON).unwrap().as_deref(), Some("tick"));
    }

    #[test]
    fn terminate_lets_the_process_clean_up() {
        let mut child = shell("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done");
        assert_eq!(child.next_line(SOON).unwrap().as_deref(), Some("up"));
        assert!(matches!(
            child.wait_timeout(Duration::ZERO),
            Err(HarnessError::StillRunning { .. })
        ));
        child.terminate().unwrap();
        assert_eq!(child.next_line(SOON).unwrap().as_deref(), Some("bye"));
        assert_eq!(child.wait_timeout(SOON).unwrap().code(), Some(7));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = ChildProcess::spawn(Command::new("no-such-program")).unwrap_err();
        assert!(
            error.to_string().contains("`no-such-program` was not found"),
            "{error}"
        );
    }
}
