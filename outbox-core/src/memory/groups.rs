use std::sync::Arc;

use tokio::time::Instant;

use super::error::MemoryError;
use super::group::{Backlog, Group};
use super::{MemoryQueue, Start};

/// A consumer group, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The topics it is registered for, in order.
    pub topics: Vec<Arc<str>>,
    /// How many members it has.
    pub members: usize,
    /// Whether it is paused ([`MemoryQueue::pause`]).
    pub paused: bool,
    /// What it has still to do.
    pub backlog: Backlog,
}

/// What operators do with groups.
impl MemoryQueue {
    /// All groups, by name.
    pub fn groups(&self) -> Vec<GroupInfo> {
        let mut state = self.shared.lock();
        let topics: Vec<Arc<str>> = state.topics.keys().cloned().collect();
        state.promote(&topics, Instant::now());
        let mut groups: Vec<GroupInfo> = state
            .groups
            .iter()
            .map(|(name, group)| GroupInfo {
                name: Arc::clone(name),
                topics: group.topics().cloned().collect(),
                members: group.members(),
                paused: group.is_paused(),
                backlog: group.backlog(&state.topics),
            })
            .collect();
        groups.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        groups
    }

    /// Hands nothing out to the group until [`MemoryQueue::resume`]: its members wait. What is in flight goes on, and its
    /// outcomes are taken. One that is paused already stays so.
    ///
    /// # Errors
    /// There is no such group.
    pub fn pause(&self, group: &str) -> Result<(), MemoryError> {
        self.set_paused(group, true)
    }

    /// Ends a [`MemoryQueue::pause`]. One that is not paused stays so.
    ///
    /// # Errors
    /// There is no such group.
    pub fn resume(&self, group: &str) -> Result<(), MemoryError> {
        self.set_paused(group, false)
    }

    fn set_paused(&self, group: &str, paused: bool) -> Result<(), MemoryError> {
        let mut state = self.shared.lock();
        let found: Option<&mut Group> = state.groups.get_mut(group);
        found.ok_or_else(|| unknown(group))?.set_paused(paused);
        Ok(())
    }

    /// Moves the group's place in all queues of a topic: what it has read and not finished is forgotten with its failed
    /// attempts, deliveries in flight are [`Fenced`](crate::ReceiveError::Fenced), and everything from the new place on
    /// comes, again if need be. What is not kept any more can't: see
    /// [`retention`](super::MemoryQueueBuilder::retention). Dead letters stay.
    ///
    /// What the group had not finished comes again also if nothing but the group still keeps it, as long as it is from the
    /// new place on.
    ///
    /// # Errors
    /// There is no such group, or it is not registered for the topic. Nothing was moved.
    pub fn seek(&self, group: &str, topic: &str, start: Start) -> Result<(), MemoryError> {
        let place = self.shared.clock.place(start);
        self.shared.lock().seek(group, topic, place)?;
        // Going forward may leave nothing to do.
        self.shared.idle.notify_waiters();
        Ok(())
    }
}

pub(super) fn unknown(group: &str) -> MemoryError {
    MemoryError::UnknownGroup {
        group: group.to_owned(),
    }
}
