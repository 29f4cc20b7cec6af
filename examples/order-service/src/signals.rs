//! SIGTERM and Ctrl-C.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask a service to stop. From the call on they don't end the process by themselves.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Listens to them.
///
/// # Errors
/// The system refuses.
pub fn listen() -> anyhow::Result<Signals> {
    let listen = |kind| signal(kind).context("listening to signals");
    Ok(Signals {
        terminate: listen(SignalKind::terminate())?,
        interrupt: listen(SignalKind::interrupt())?,
    })
}

impl Signals {
    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
