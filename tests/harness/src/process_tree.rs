//! A process and everything it started, signalled as one.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a process may take to show that it was stopped or killed. The kernel does this at once, unless the process
/// is deep in a write to a slow disk.
const SIGNAL_TAKES_AT_MOST: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(1);

/// A process, told apart from a later one that was given the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Process {
    pid: i32,
    started: u64,
}

#[derive(Clone, Copy)]
struct Stat {
    process: Process,
    parent: i32,
    state: u8,
}

impl Stat {
    fn is_dead(self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    fn is_stopped(self) -> bool {
        matches!(self.state, b'T' | b't')
    }
}

/// Stops the process and all its descendants, parents first so that none can start another unseen.
///
/// Returns whether all of them were seen to stand still.
pub(crate) fn freeze(root: u32) -> bool {
    stop(root).1
}

/// Continues the process and all its descendants.
pub(crate) fn thaw(root: u32) {
    // Children first: a parent that wakes up to silent children may take them for hung.
    for process in members(root).into_iter().rev() {
        signal(process, Signal::SIGCONT);
    }
}

/// Kills the process and all its descendants and waits until the descendants are gone. The caller, being the root's
/// parent, still has to wait for the root.
///
/// Returns whether all descendants were seen to be gone.
pub(crate) fn kill_all(root: u32) -> bool {
    let (processes, _) = stop(root);
    for process in &processes {
        signal(*process, Signal::SIGKILL);
    }
    wait_until(|| {
        processes
            .iter()
            .skip(1)
            .all(|process| stat(process.pid).is_none_or(|now| now.process != *process || now.is_dead()))
    })
}

/// Kills whoever has this in its environment, also those that have left their parents' tree, and waits until they are gone.
pub(crate) fn kill_marked(mark: &[u8]) {
    wait_until(|| {
        let is_marked = |stat: &Stat| {
            let environment = fs::read(format!("/proc/{}/environ", stat.process.pid)).unwrap_or_default();
            !stat.is_dead() && environment.windows(mark.len()).any(|part| part == mark)
        };
        let marked: Vec<Stat> = all().filter(is_marked).collect();
        for stat in &marked {
            signal(stat.process, Signal::SIGKILL);
        }
        marked.is_empty()
    });
}

/// Sends one signal to the process alone.
pub(crate) fn signal_root(root: u32, signal: Signal) -> nix::Result<()> {
    let pid = i32::try_from(root).map_err(|_| nix::errno::Errno::ESRCH)?;
    kill(Pid::from_raw(pid), signal)
}

/// Stops the tree level by level until no unseen member turns up.
fn stop(root: u32) -> (Vec<Process>, bool) {
    let mut stopped: Vec<Process> = Vec::new();
    let mut all_still = true;
    loop {
        let new: Vec<Process> = members(root)
            .into_iter()
            .filter(|process| !stopped.contains(process))
            .collect();
        if new.is_empty() {
            return (stopped, all_still);
        }
        for process in new {
            signal(process, Signal::SIGSTOP);
            all_still &= wait_until(|| {
                stat(process.pid)
                    .is_none_or(|now| now.process != process || now.is_dead() || now.is_stopped())
            });
            stopped.push(process);
        }
    }
}

/// The root, its children, their children, in this order. Dead ones are left out.
fn members(root: u32) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for stat in all().filter(|stat| !stat.is_dead()) {
        children.entry(stat.parent).or_default().push(stat.process);
    }
    let root = i32::try_from(root)
        .ok()
        .and_then(stat)
        .filter(|stat| !stat.is_dead());
    let mut members: Vec<Process> = root.map(|stat| stat.process).into_iter().collect();
    let mut next = 0;
    while let Some(process) = members.get(next) {
        members.extend(children.remove(&process.pid).into_iter().flatten());
        next += 1;
    }
    members
}

fn all() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat)
}

/// Reads `/proc/<pid>/stat`; see proc_pid_stat(5). The name in parentheses may itself hold spaces and parentheses.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22; state was field 3 and the parent field 4.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat {
        process: Process { pid, started },
        parent,
        state,
    })
}

/// A process that is gone already needs no signal.
fn signal(process: Process, signal: Signal) {
    let _ = kill(Pid::from_raw(process.pid), signal);
}

fn wait_until(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + SIGNAL_TAKES_AT_MOST;
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}
