//! One thread that starts every process, because of what "dies with its parent" means to Linux.
//!
//! `PR_SET_PDEATHSIG` fires when the *thread* that started the process ends. A test's thread ends with its test, and
//! tokio's blocking threads end when idle: a server started there would vanish while others still use it. The thread
//! here lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

struct Job {
    command: Command,
    reply: SyncSender<io::Result<Child>>,
}

static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();

/// Starts the command from the long-lived thread.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (reply, answer) = sync_channel(1);
    let gone = || io::Error::other("the thread that starts processes is gone");
    SPAWNER
        .get_or_init(start)
        .send(Job { command, reply })
        .map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

fn start() -> Sender<Job> {
    let (jobs, inbox) = channel::<Job>();
    let serve = move || {
        for mut job in inbox {
            // The asker waits for this answer; if it is gone all the same, so is the need for the child.
            if let Err(unsent) = job.reply.send(job.command.spawn())
                && let Ok(mut child) = unsent.0
            {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    };
    // A failure to start the thread drops `inbox`: every later `send` then says that it is gone.
    let _ = thread::Builder::new()
        .name("harness-spawner".to_owned())
        .spawn(serve);
    jobs
}
