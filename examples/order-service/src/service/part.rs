use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// A part of the service that runs by itself, and ends with this value at the latest.
#[derive(Debug)]
pub(super) struct Part<T> {
    stop: CancellationToken,
    task: AbortOnDropHandle<T>,
}

impl<T: Send + 'static> Part<T> {
    /// Runs it with a token that tells it to stop. When it ends though nobody told it to, `ended` is cancelled.
    pub(super) fn start<F>(ended: &CancellationToken, run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let running = run(stop.clone());
        let end = End {
            stop: stop.clone(),
            ended: ended.clone(),
        };
        let task = tokio::spawn(async move {
            let _end = end;
            running.await
        });
        Self {
            stop,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Tells it to stop and waits for it. `None`: it panicked, or took longer and was cut off.
    pub(super) async fn stop(self, limit: Duration) -> Option<T> {
        self.stop.cancel();
        timeout(limit, self.task).await.ok().and_then(Result::ok)
    }
}

/// Notices an end that nobody wanted, also by a panic.
struct End {
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            self.ended.cancel();
        }
    }
}
