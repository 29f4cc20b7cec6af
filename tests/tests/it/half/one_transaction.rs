//! A message that can't be appended is not committed either: both are one transaction.

use std::time::Duration;

use outbox_core::half::{Decided, HalfError, HalfState};

use super::support::{message, shown};
use crate::support::{Kind, World};

on_each! {
    async fn a_commit_that_can_not_append_leaves_the_message_prepared(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let queue = world.backend.queue(Duration::from_secs(45)).unwrap();
        let half = queue.half_messages();
        let id = half.prepare(message("k", "half")).await.unwrap();
        world.execute_text("ALTER TABLE outbox_queue_message RENAME TO elsewhere".into()).await;
        let failed = half.commit(id).await.unwrap_err();
        assert!(matches!(failed, HalfError::Store { .. }), "{failed}");
        assert_eq!(shown(&half, id).await.state, HalfState::Prepared);
        assert!(half.message(id).await.unwrap().is_some());
        world.execute_text("ALTER TABLE elsewhere RENAME TO outbox_queue_message".into()).await;
        assert_eq!(half.commit(id).await.unwrap(), Decided::Now);
        assert_eq!(world.backend.ids("SELECT message_id FROM outbox_queue_message").await.unwrap(), [id]);
    }
}
