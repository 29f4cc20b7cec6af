use std::time::SystemTime;

use super::*;
use crate::group::Start;

/// Reads all that is there for a new group.
async fn replay(queue: &MemoryQueue, start: Start, group: &str) -> Vec<u32> {
    let mut subscriber = queue.subscribe_from(start, group, [TOPIC]).unwrap();
    sorted(handle_all(&mut subscriber).await)
}

#[tokio::test(start_paused = true)]
async fn a_group_starts_with_the_first_message_that_was_appended_at_a_time() {
    let queue = MemoryQueue::new();
    let made = SystemTime::now();
    let _keeps = queue.subscribe("keeps", [TOPIC]).unwrap();
    for n in 0..10 {
        tokio::time::advance(10 * SECOND).await;
        publish(&queue, [message("k", n), message("", n + 100)]).await;
    }
    // Number n was appended 10 * (n + 1) seconds after the queue was made.
    let at = |seconds: u64| Start::At(made + Duration::from_secs(seconds));
    assert_eq!(replay(&queue, at(85), "a").await, [8, 9, 108, 109]);
    assert_eq!(replay(&queue, at(1_000), "future").await, [0u32; 0]);
    assert_eq!(replay(&queue, at(0), "all").await.len(), 20);
    let before = Start::At(SystemTime::UNIX_EPOCH);
    assert_eq!(replay(&queue, before, "long ago").await.len(), 20);
    assert_eq!(replay(&queue, Start::Now, "now").await, [0u32; 0]);
    assert_eq!(
        replay(&queue, at(0), "future").await,
        [0u32; 0],
        "a group that is there keeps its place"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_appended_at_that_very_time_is_included() {
    let queue = MemoryQueue::new();
    let _keeps = queue.subscribe("keeps", [TOPIC]).unwrap();
    tokio::time::advance(10 * SECOND).await;
    publish(&queue, [message("k", 1)]).await;
    let at = queue.shared.clock.time_of_day + 10 * SECOND;
    assert_eq!(replay(&queue, Start::At(at), "a").await, [1]);
    let later = at + Duration::from_nanos(1);
    assert_eq!(replay(&queue, Start::At(later), "b").await, [0u32; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_is_appended_when_it_is_due() {
    let queue = MemoryQueue::new();
    let made = SystemTime::now();
    let _keeps = queue.subscribe("keeps", [TOPIC]).unwrap();
    let delayed = |n: u32, seconds: u32| {
        let builder = Message::builder(TOPIC).key("k").json(&n).unwrap();
        builder.delay(seconds * SECOND).build().unwrap()
    };
    publish(&queue, [delayed(1, 10), delayed(2, 20)]).await;
    // Nobody looks at 10 and 20.
    tokio::time::advance(60 * SECOND).await;
    let from = Start::At(made + 15 * SECOND);
    assert_eq!(replay(&queue, from, "a").await, [2]);
}
