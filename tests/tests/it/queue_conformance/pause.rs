//! Nothing is handed out to a paused group.

use std::time::Duration;

use super::support::*;

on_every_queue! {
    async fn a_paused_group_gets_nothing_until_it_goes_on(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("before", [0]).await;
        let held = member.one().await;
        queue.pause(GROUP, true).await.unwrap();
        assert!(queue.group(GROUP).await.unwrap().paused);
        // Members notice within a second, so some may still come; each is another message, to the first that does not.
        let mut published = 0;
        eventually("the group pauses", async || {
            queue.say(&format!("k{published}"), [published]).await;
            published += 1;
            match member.any_within(Duration::from_millis(400)).await {
                None => true,
                Some(deliveries) => {
                    for delivery in deliveries {
                        delivery.ack().await.unwrap();
                        published -= 1;
                    }
                    false
                }
            }
        })
        .await;
        queue.say("later", ["later"]).await;
        member.gets_nothing().await;
        // What is in flight is finished.
        held.ack().await.unwrap();
        queue.pause(GROUP, false).await.unwrap();
        assert!(!queue.group(GROUP).await.unwrap().paused);
        let seen = member.handle(published + 1).await;
        assert!(seen.iter().any(|seen| seen.text == "later"));
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_group_that_is_paused_before_it_has_members_waits(queue: Queue) {
        queue.member().await.close().await;
        queue.pause(GROUP, true).await.unwrap();
        queue.say("k", 0..3).await;
        let mut member = queue.member().await;
        let mut other = queue.member_of("billing", outbox_core::group::Start::Beginning).await;
        assert_eq!(texts(&other.handle(3).await), ["0", "1", "2"]);
        member.gets_nothing().await;
        queue.pause(GROUP, false).await.unwrap();
        assert_eq!(texts(&member.handle(3).await), ["0", "1", "2"]);
    }

    async fn a_group_that_is_not_there_can_not_be_paused(queue: Queue) {
        for paused in [true, false] {
            assert_eq!(queue.pause("nobody", paused).await, Err(outbox_tests::Refused::UnknownGroup));
        }
    }
}
