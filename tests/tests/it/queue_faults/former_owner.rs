//! A consumer is frozen past its lease with a message in its hands, and continued when another has taken over: what it
//! says about that message counts for nothing.

use std::time::Duration;

use outbox_tests::Verdict;

use super::appending::Appender;
use crate::support::{Kind, SOON, World, terminate_consumer};

on_each! {
    async fn a_frozen_consumer_that_goes_on_can_only_make_duplicates(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let queue = world.backend.queue(Duration::from_secs(1)).unwrap();
        let mut appender = Appender::new(&queue);
        let go = world.scratch.path().join("go");
        let mut zombie = world.spawn_consumer("group", &["--hold-key", "held", go.to_str().unwrap()]);
        appender.append(["held".to_owned()]).await;
        zombie.line_where(SOON, |line| line == "holding").unwrap();
        zombie.freeze().unwrap();
        // The heir handles the same message, and those after it; the last one fails for good.
        let heir = world.spawn_consumer("group", &[]);
        for n in 0..20 {
            appender.append(["held".to_owned(), format!("k{n}")]).await;
        }
        world.wait_handled(&queue, "group", SOON).await;
        std::fs::write(&go, "").unwrap();
        zombie.thaw();
        zombie.terminate().unwrap();
        let figures = zombie.line_where(SOON, |line| line.starts_with("stopped ")).unwrap();
        assert!(
            figures.contains("handled=0 ") && !figures.contains("unsettled=0 abandoned=0"),
            "the outcome of a former owner was taken: {figures}"
        );
        appender.append(["held".to_owned()]).await;
        world.wait_handled(&queue, "group", SOON).await;
        terminate_consumer(heir);
        println!("a consumer frozen past its lease with a message in its hands, then continued:");
        let verdict = Verdict::of_group(&world.journal_of("group"), &appender.appended, 0, 0).unwrap();
        verdict.assert_kept();
        assert_eq!(verdict.duplicates_delivered, 1);
    }
}
