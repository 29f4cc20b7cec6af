use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::config::MAX_RECEIVE;
use super::delivery::MemoryAcknowledge;
use super::group::MemberId;
use super::state::Shared;
use crate::group::Start;
use crate::subscriber::{Delivery, ReceiveError, Subscriber};

/// A member of a consumer group of a [`MemoryQueue`](super::MemoryQueue). Dropping it leaves the group:
/// its queues go to the other members, and what it had in flight comes again for them.
pub struct MemorySubscriber {
    shared: Arc<Shared>,
    group: Arc<str>,
    topics: Vec<Arc<str>>,
    member: MemberId,
    wake: Arc<Notify>,
}

impl MemorySubscriber {
    pub(super) fn join(shared: &Arc<Shared>, group: Arc<str>, topics: Vec<Arc<str>>, start: Start) -> Self {
        let wake = Arc::new(Notify::new());
        let member = shared.lock().join(
            &group,
            topics.clone(),
            shared.clock.place(start),
            &shared.settings,
            Arc::clone(&wake),
        );
        Self {
            shared: Arc::clone(shared),
            group,
            topics,
            member,
            wake,
        }
    }

    /// The group it is a member of.
    pub fn group(&self) -> &str {
        &self.group
    }
}

#[async_trait]
impl Subscriber for MemorySubscriber {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, ReceiveError> {
        let max = max.clamp(1, MAX_RECEIVE);
        loop {
            // A queue that always has something must not keep the other tasks of the thread waiting.
            tokio::task::consume_budget().await;
            let answer =
                self.shared
                    .lock()
                    .take(&self.group, self.member, &self.topics, max, &self.shared.settings);
            let Some((taken, again)) = answer else {
                return Err(ReceiveError::Closed);
            };
            if !taken.is_empty() {
                let deliver = |taken| MemoryAcknowledge::deliver(&self.shared, &self.group, taken);
                return Ok(taken.into_iter().map(deliver).collect());
            }
            match again {
                None => self.wake.notified().await,
                Some(at) => tokio::select! {
                    () = self.wake.notified() => {}
                    () = tokio::time::sleep_until(at) => {}
                },
            }
        }
    }

    fn lease(&self) -> Option<Duration> {
        self.shared.settings.lease
    }

    fn group(&self) -> Option<&str> {
        Some(&self.group)
    }
}

impl Drop for MemorySubscriber {
    fn drop(&mut self) {
        self.shared.lock().leave(&self.group, self.member);
    }
}

impl fmt::Debug for MemorySubscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySubscriber")
            .field("group", &self.group)
            .field("topics", &self.topics)
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}
