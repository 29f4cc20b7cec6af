use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Asks again and again until the answer satisfies the condition.
pub(crate) async fn until<T: std::fmt::Debug>(
    mut ask: impl AsyncFnMut() -> T,
    done: impl Fn(&T) -> bool,
) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        let answer = ask().await;
        if done(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "still {answer:?} after {SOON:?}");
        sleep(Duration::from_millis(10)).await;
    }
}
