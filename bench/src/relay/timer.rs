//! Answers after a fraction of a millisecond.
//!
//! tokio's timers tick once a millisecond, and a spinning task would take one of the machine's cores away from what is
//! measured. So a thread of its own sleeps, with the kernel's timer slack (50 µs by default) set to nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::prctl;
use tokio::sync::oneshot;

/// Wakes its callers the same time after each call, in the order of their calls.
#[derive(Debug)]
pub(crate) struct Timer {
    delay: Duration,
    calls: mpsc::Sender<Call>,
    late: Arc<Late>,
}

#[derive(Debug)]
struct Call {
    due: Instant,
    answer: oneshot::Sender<()>,
}

/// How much later than asked for the thread woke up, all together.
#[derive(Debug, Default)]
struct Late {
    nanos: AtomicU64,
    calls: AtomicU64,
}

impl Timer {
    pub(crate) fn start(delay: Duration) -> Result<Self> {
        let (calls, inbox) = mpsc::channel::<Call>();
        let late = Arc::new(Late::default());
        let theirs = late.clone();
        thread::Builder::new()
            .name("bench-timer".to_owned())
            .spawn(move || {
                // Refused: then it is late, which is measured.
                let _ = prctl::set_timerslack(1);
                for call in inbox {
                    thread::sleep(call.due.saturating_duration_since(Instant::now()));
                    let late = Instant::now().saturating_duration_since(call.due);
                    theirs.nanos.fetch_add(late.as_nanos() as u64, Ordering::Relaxed);
                    theirs.calls.fetch_add(1, Ordering::Relaxed);
                    // Whoever gave up waiting needs no answer.
                    let _ = call.answer.send(());
                }
            })
            .context("starting the timer's thread")?;
        Ok(Self { delay, calls, late })
    }

    /// Returns after the delay.
    pub(crate) async fn wait(&self) {
        let (answer, answered) = oneshot::channel();
        let due = Instant::now() + self.delay;
        if self.calls.send(Call { due, answer }).is_ok() {
            // The thread answers every call as long as somebody may call.
            let _ = answered.await;
        }
    }

    /// The delay as it really was, on average.
    pub(crate) fn actual(&self) -> Duration {
        let calls = self.late.calls.load(Ordering::Relaxed).max(1);
        self.delay + Duration::from_nanos(self.late.nanos.load(Ordering::Relaxed) / calls)
    }
}
