//! Deadlines that pass: sent again, given up, and nothing that was handled stays buried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use outbox_core::confirmation::Confirming;
use outbox_core::consumer::Consumer;
use outbox_core::memory::MemoryPublisher;
use outbox_core::{Capabilities, Message, PublishError, Publisher};
use outbox_sqlx::confirmations::{Confirmations, Recorded};
use outbox_sqlx::dead::DeadReason;
use outbox_tests::on_pool;
use tokio_util::sync::CancellationToken;

use super::support::{CONFIRMED, Sender, TOPIC, confirmations, receive, within};
use crate::support::Kind;

/// Loses the first message that it is given, and says that it took it.
struct Lossy {
    publisher: MemoryPublisher,
    lost: AtomicU32,
}

#[async_trait]
impl Publisher for Lossy {
    fn name(&self) -> &str {
        "lossy"
    }
    fn capabilities(&self) -> Capabilities {
        self.publisher.capabilities()
    }
    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            return batch.iter().map(|_| Ok(())).collect();
        }
        self.publisher.publish(batch).await
    }
    async fn probe(&self) -> Result<(), PublishError> {
        self.publisher.probe().await
    }
}

on_each! {
    async fn a_silent_group_is_asked_again_and_then_named(kind: Kind) {
        let Some(sender) = Sender::new(kind).await else { return };
        let mut subscriber = sender.queue.subscribe("silent", [TOPIC]).unwrap();
        let relay = sender.relay();
        let id = sender.publish("k", &["a", "b", "silent"], 3, 1).await;
        assert_eq!(receive(&mut subscriber, 1).await[0].id(), id);
        sender.wait_awaiting(1).await;
        for group in ["a", "b"] {
            assert_eq!(sender.record(id, group).await, Recorded::Noted);
        }
        assert_eq!(sender.sweep().await.resent, 0, "its time has not come");
        let since = sender.pending().await[0].since;

        sender.let_deadlines_pass().await;
        let swept = sender.sweep().await;
        assert_eq!((swept.resent, swept.unconfirmed), (1, 0));
        sender.outbox.wake();
        let again = receive(&mut subscriber, 1).await;
        assert_eq!((again[0].id(), again[0].key()), (id, Some("k")), "the same message");
        sender.wait_awaiting(1).await;
        let waiting = &sender.pending().await[0];
        assert_eq!((waiting.resends, waiting.since, &waiting.missing[..]), (1, since, &["silent".to_owned()][..]));

        sender.let_deadlines_pass().await;
        let swept = sender.sweep().await;
        assert_eq!((swept.resent, swept.unconfirmed), (0, 1));
        let dead = sender.dead().await;
        assert_eq!((dead.len(), dead[0].id, dead[0].reason), (1, id, DeadReason::Unconfirmed));
        assert!(dead[0].last_error.as_deref().unwrap().contains("missing: silent"), "{dead:?}");
        assert_eq!(sender.standing(id).await.confirmed.len(), 2, "who did confirm is known");

        assert_eq!(sender.record(id, "silent").await, Recorded::Unburied, "it was handled after all");
        assert!(sender.dead().await.is_empty());
        sender.wait_awaiting(0).await;
        relay.stop().await;
    }

    /// Put back by an operator, it is delivered and waits once more.
    async fn a_redrive_asks_once_more(kind: Kind) {
        let Some(sender) = Sender::new(kind).await else { return };
        let relay = sender.relay();
        let id = sender.publish("k", &["a"], 1, 0).await;
        sender.wait_awaiting(1).await;
        sender.let_deadlines_pass().await;
        assert_eq!(sender.sweep().await.unconfirmed, 1, "it may not be sent again");
        sender.world.backend.redrive(id).await.unwrap();
        sender.outbox.wake();
        sender.wait_awaiting(1).await;
        assert_eq!(sender.record(id, "a").await, Recorded::Confirmed);
        assert!(sender.dead().await.is_empty());
        relay.stop().await;
    }

    async fn a_confirmation_that_was_lost_comes_with_the_next_delivery(kind: Kind) {
        let Some(sender) = Sender::new(kind).await else { return };
        let stop = CancellationToken::new();
        let handled = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&handled);
        let lossy = Lossy { publisher: sender.queue.publisher(), lost: AtomicU32::new(0) };
        let handler = Confirming::new("shipping", Arc::new(lossy), move |_: Message| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        });
        let consumer = Consumer::builder(sender.queue.subscribe("shipping", [TOPIC]).unwrap(), handler).build().unwrap();
        let consuming = tokio::spawn(consumer.run(stop.clone()));
        let subscriber = sender.queue.subscribe("sender", [CONFIRMED]).unwrap();
        let recording = confirmations!(sender, confirmations => {
            tokio::spawn(Consumer::builder(subscriber, confirmations).build().unwrap().run(stop.clone()))
        });
        let relay = sender.relay();
        let id = sender.publish("k", &["shipping"], 1, 5).await;
        sender.wait_awaiting(1).await;
        within(sender.queue.wait_idle("shipping")).await;
        assert_eq!(sender.pending().await.len(), 1, "its confirmation was lost");
        sender.let_deadlines_pass().await;
        assert_eq!(sender.sweep().await.resent, 1);
        sender.outbox.wake();
        sender.wait_awaiting(0).await;
        within(sender.queue.wait_idle("sender")).await;
        assert_eq!((handled.load(Ordering::Relaxed), sender.standing(id).await.confirmed.len()), (2, 1));
        assert!(sender.dead().await.is_empty());
        stop.cancel();
        consuming.await.unwrap();
        recording.await.unwrap();
        relay.stop().await;
    }

    async fn several_sweepers_send_each_again_once(kind: Kind) {
        const MESSAGES: usize = 60;
        let Some(sender) = Sender::new(kind).await else { return };
        let relay = sender.relay();
        for n in 0..MESSAGES {
            sender.publish(&format!("k{}", n % 7), &["a"], 1, 5).await;
        }
        sender.wait_awaiting(MESSAGES as i64).await;
        relay.stop().await;
        sender.let_deadlines_pass().await;
        let swept = join_all((0..8).map(|_| async {
            // Who meets a deadlock begins again.
            loop {
                let swept = confirmations!(sender, confirmations => confirmations.sweep().await);
                match swept {
                    Ok(swept) => return swept.resent,
                    Err(error) => assert!(error.is_retryable(), "{error}"),
                }
            }
        }))
        .await;
        assert_eq!(swept.iter().sum::<u64>(), MESSAGES as u64, "{swept:?}");
        assert_eq!(sender.world.backend.pending().await.unwrap(), MESSAGES as i64);
        assert_eq!(sender.count("SELECT count(*) FROM outbox_awaiting").await, 0);
    }

    /// What was confirmed while its deadline passed is neither sent again nor given up.
    async fn a_sweep_looks_again_under_its_lock(kind: Kind) {
        let Some(sender) = Sender::new(kind).await else { return };
        let relay = sender.relay();
        let id = sender.publish("k", &["a"], 1, 0).await;
        sender.wait_awaiting(1).await;
        sender.let_deadlines_pass().await;
        // As one that was recorded by a process that died before it looked for its message.
        let insert = "INSERT INTO outbox_confirmation (message_id, group_name) SELECT message_id, 'a' FROM outbox_awaiting";
        sender.world.backend.execute(insert).await.unwrap();
        let swept = sender.sweep().await;
        assert_eq!((swept.confirmed, swept.unconfirmed), (1, 0));
        assert!(sender.dead().await.is_empty());
        assert_eq!(sender.standing(id).await.awaiting, None);
        relay.stop().await;
    }
}
