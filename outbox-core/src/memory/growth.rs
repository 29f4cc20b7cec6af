//! What keeps a key in order when its topic has grown: which of the queues that it has been in may hand it out. Pure.
//!
//! A key moves from a queue to a newer one and never back, so the order of its messages is: older queues first. Of these
//! queues one has the key's **turn**: the one where it is out, else the oldest that has a message of it; in the others it
//! is held. What an older queue has can only be known when that has been read up to the split; until then the newer one is
//! **closed**.

use std::sync::Arc;

use tokio::time::Instant;

use super::queue::GroupQueue;
use super::topic::Topic;

/// Whether a queue may not be read yet, because one that it was split from was not read up to the split. `older` are the
/// queues below it.
pub(super) fn is_closed(topic: &Topic, older: &[GroupQueue], queue: u32) -> bool {
    let mut child = queue;
    while let Some((parent, split)) = topic.split_of(child) {
        if older[parent as usize].cursor() < split {
            return true;
        }
        child = parent;
    }
    false
}

/// Whether a queue that this one was split from, directly or not, still has a message of the key.
pub(super) fn has_older(topic: &Topic, older: &[GroupQueue], queue: u32, key: &str) -> bool {
    let mut child = queue;
    while let Some((parent, _)) = topic.split_of(child) {
        if older[parent as usize].has_key(key) {
            return true;
        }
        child = parent;
    }
    false
}

/// Gives a key's turn to the queue that it is, and returns that one; `None` when no queue has the key.
pub(super) fn give_turn(
    topic: &Topic,
    queues: &mut [GroupQueue],
    key: &Arc<str>,
    now: Instant,
) -> Option<u32> {
    let mut lineage = vec![topic.queue_of(key)];
    while let Some((parent, _)) = lineage.last().and_then(|&queue| topic.split_of(queue)) {
        lineage.push(parent);
    }
    let out = lineage
        .iter()
        .find(|&&queue| queues[queue as usize].is_key_out(key));
    let oldest = lineage
        .iter()
        .rev()
        .find(|&&queue| queues[queue as usize].has_key(key));
    let turn = out.or(oldest).copied()?;
    for &queue in &lineage {
        if queue == turn {
            queues[queue as usize].let_go(key, now);
        } else {
            queues[queue as usize].hold(key, now);
        }
    }
    Some(turn)
}

/// As [`give_turn`], for every key of a topic that is held somewhere.
pub(super) fn give_held_turns(topic: &Topic, queues: &mut [GroupQueue], now: Instant) {
    let held: Vec<Arc<str>> = queues.iter().flat_map(GroupQueue::held).cloned().collect();
    for key in held {
        give_turn(topic, queues, &key, now);
    }
}

/// As [`give_turn`], for every key of a topic that is read and not finished.
pub(super) fn give_all_turns(topic: &Topic, queues: &mut [GroupQueue], now: Instant) {
    let keys: Vec<Arc<str>> = queues.iter().flat_map(GroupQueue::keys).cloned().collect();
    for key in keys {
        give_turn(topic, queues, &key, now);
    }
}
