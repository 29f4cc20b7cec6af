use super::*;
use crate::consumer::ConsumerError;
use crate::retry::{RetryPolicy, WhenSpent};

fn refused(set: impl FnOnce(ConsumerBuilder) -> ConsumerBuilder) -> ConsumerError {
    let queue = MemoryQueue::builder().lease(20 * SECOND).build();
    let builder = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), |_: Message| async {
        Ok(())
    });
    set(builder.handler_timeout(10 * SECOND)).build().unwrap_err()
}

#[test]
fn each_error_names_the_setting_and_its_value() {
    assert_eq!(
        refused(|builder| builder.concurrency(0)).to_string(),
        "concurrency is 0, and must be 1 to 10000"
    );
    assert_eq!(
        refused(|builder| builder.prefetch(10_001)).to_string(),
        "prefetch is 10001, and must be at most 10000"
    );
    assert_eq!(
        refused(|builder| builder.prefetch_bytes(0)),
        ConsumerError::PrefetchBytes
    );
    assert_eq!(
        refused(|builder| builder.handler_timeout(Duration::ZERO)),
        ConsumerError::HandlerTimeoutZero
    );
    assert_eq!(
        refused(|builder| builder.handler_timeout(20 * SECOND)).to_string(),
        "handler_timeout is 20s, and must be shorter than the subscription's lease of 20s"
    );
    assert_eq!(
        refused(|builder| builder.rate_limit(0)).to_string(),
        "rate_limit is 0 a second, and must be 1 to 1000000"
    );
    assert_eq!(
        refused(|builder| builder.rate_limit(1_000_001)),
        ConsumerError::RateLimit {
            per_second: 1_000_001
        }
    );
    assert_eq!(
        refused(|builder| builder.rate_limit(1_001).rate_burst(10)).to_string(),
        "rate_burst is 10, and with this rate_limit must be 11 to 1000000"
    );
    assert_eq!(
        refused(|builder| builder.rate_burst(10)),
        ConsumerError::RateBurstWithoutLimit
    );
    assert_eq!(
        refused(|builder| builder.batch_messages(10)),
        ConsumerError::NoBatches
    );
    assert_eq!(
        refused(|builder| builder.batch_wait(SECOND)),
        ConsumerError::NoBatches
    );
}

#[test]
fn errors_of_batches_name_the_setting_and_its_value() {
    let refused = |set: fn(ConsumerBuilder) -> ConsumerBuilder| {
        let subscriber = MemoryQueue::new().subscribe(GROUP, [TOPIC]).unwrap();
        let builder = Consumer::batch_builder(subscriber, |_: Vec<Message>| async { Ok(()) });
        set(builder).build().unwrap_err().to_string()
    };
    assert_eq!(
        refused(|builder| builder.batch_messages(0)),
        "batch_messages is 0, and must be 1 to 1000"
    );
    assert_eq!(
        refused(|builder| builder.batch_messages(1_001)),
        "batch_messages is 1001, and must be 1 to 1000"
    );
    assert_eq!(
        refused(|builder| builder.batch_messages(1_000).concurrency(101)),
        "101 batches of 1000 messages at the same time are more than 100000 messages"
    );
}

#[test]
fn a_policy_that_a_queue_can_not_follow_is_refused() {
    let block = RetryPolicy::DEFAULT.with_when_spent(WhenSpent::Block);
    let park = RetryPolicy::DEFAULT.with_when_spent(WhenSpent::Park);
    assert_eq!(
        refused(|builder| builder.retry(block)).to_string(),
        "the retry policy says Block when attempts are spent, and a consumer can only Skip"
    );
    assert_eq!(
        refused(|builder| builder.topic_retry(TOPIC, park)).to_string(),
        r#"the retry policy of topic "t" says Park when attempts are spent, and a consumer can only Skip"#
    );
}
