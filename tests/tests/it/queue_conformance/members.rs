//! The members of a group share its queues: nothing comes twice and nothing is lost while they come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outbox_core::group::Start;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::support::*;

/// What all members of a group have acknowledged, by whom.
type Log = Arc<Mutex<Vec<(usize, Seen)>>>;

/// How a member goes.
#[derive(Clone, Copy, PartialEq)]
enum Goes {
    Closed,
    Dropped,
}

/// A member in a task of its own, that acknowledges what it gets until it is told to go.
struct Working {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Working {
    fn start(number: usize, mut member: Member, log: &Log, goes: Goes) -> Self {
        let (stop, log) = (CancellationToken::new(), Arc::clone(log));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            loop {
                let deliveries = tokio::select! {
                    deliveries = member.0.receive(8) => deliveries.unwrap(),
                    () = stopped.cancelled() => break,
                };
                for delivery in deliveries {
                    let seen = Seen::of(&delivery);
                    if stopped.is_cancelled() && seen.offset.is_multiple_of(2) {
                        // It goes with some of what it has not finished.
                        continue;
                    }
                    delivery.ack().await.unwrap();
                    log.lock().unwrap().push((number, seen));
                    tokio::task::yield_now().await;
                }
            }
            if goes == Goes::Closed {
                member.close().await;
            }
        });
        Self { stop, task }
    }

    async fn go(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn acked(log: &Log) -> Vec<Seen> {
    log.lock().unwrap().iter().map(|(_, seen)| seen.clone()).collect()
}

on_every_queue! {
    async fn members_share_the_queues_fairly(queue: Queue) {
        queue.declare(TOPIC, 6).await.unwrap();
        let log = Log::default();
        let mut working = Vec::new();
        for number in 0..3 {
            working.push(Working::start(number, queue.member().await, &log, Goes::Closed));
        }
        let mut rounds = 0;
        eventually("each of three members has two of six queues", async || {
            log.lock().unwrap().clear();
            // 60 keys are in all of the queues.
            queue.publish(&spread(60, 1)).await;
            rounds += 1;
            eventually("they are handled", async || log.lock().unwrap().len() == 60).await;
            let mut shares: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
            for (member, seen) in log.lock().unwrap().iter() {
                shares.entry(*member).or_default().insert(seen.queue);
            }
            let all: BTreeSet<u32> = shares.values().flatten().copied().collect();
            all.len() == 6 && shares.len() == 3 && shares.values().all(|share| share.len() == 2)
        })
        .await;
        for member in working {
            member.go().await;
        }
    }

    async fn whoever_joins_gets_its_share_when_what_is_in_flight_is_finished(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let mut first = queue.member().await;
        queue.publish(&spread(20, 1)).await;
        let held = first.hold(20).await;
        let queues: BTreeSet<u32> = held.iter().map(|delivery| delivery.queue()).collect();
        assert_eq!(queues.len(), 2);
        let mut second = queue.member().await;
        queue.has_members(GROUP, 2).await;
        second.gets_nothing().await;
        for delivery in held {
            assert_eq!(delivery.attempt(), 1);
            delivery.ack().await.unwrap();
        }
        let log = Log::default();
        let working = [first, second].into_iter().enumerate().map(|(number, member)| Working::start(number, member, &log, Goes::Closed));
        let working: Vec<_> = working.collect();
        let mut published = 0;
        eventually("both have a share", async || {
            queue.publish(&spread(20, 1)).await;
            published += 20;
            eventually("they are handled", async || log.lock().unwrap().len() >= published).await;
            log.lock().unwrap().iter().rev().take(20).map(|(member, _)| *member).collect::<BTreeSet<_>>().len() == 2
        })
        .await;
        let seen = acked(&log);
        assert_eq!(seen.len(), published);
        assert_eq!(seen.iter().map(|seen| seen.id).collect::<BTreeSet<_>>().len(), published);
        for member in working {
            member.go().await;
        }
    }

    /// What it has finished is finished, also where something before it is not.
    async fn whoever_closes_leaves_only_what_is_not_finished(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        queue.publish(&spread(10, 2)).await;
        let mut first = queue.member().await;
        let mut finished = Vec::new();
        for (n, delivery) in first.hold(10).await.into_iter().enumerate() {
            if n % 3 == 1 {
                finished.push(delivery.message().id());
                delivery.ack().await.unwrap();
            } else if n % 3 == 2 {
                // Held to the end, and beyond.
                std::mem::forget(delivery);
            }
        }
        let mut second = queue.member().await;
        first.close().await;
        let rest = second.handle(20 - finished.len()).await;
        assert!(rest.iter().all(|seen| !finished.contains(&seen.id)), "finished, and came again");
        assert!(rest.iter().all(|seen| seen.attempt == 1));
        queue.finished(GROUP).await;
        second.gets_nothing().await;
    }

    async fn an_outcome_after_the_member_has_left_counts_for_nothing(queue: Queue) {
        queue.say("k", [0]).await;
        let mut first = queue.member().await;
        let held = first.one().await;
        first.0.close().await.unwrap();
        // Where leaving is dropping, it is dropped.
        drop(first);
        let mut second = queue.member().await;
        let again = second.one().await;
        assert_eq!(again.attempt(), 1);
        let late = held.ack().await;
        assert!(late.is_err(), "it was another member's by then");
        drop(again);
        assert_eq!(second.handle(1).await.len(), 1);
    }

    async fn a_closed_member_receives_nothing_more(queue: Queue) {
        if !queue.features().outlives_the_process {
            // In memory, closing is left at its default: dropping does all of it.
            return;
        }
        let mut member = queue.member().await;
        queue.say("k", [0]).await;
        member.0.close().await.unwrap();
        member.is_closed().await;
        member.0.close().await.unwrap();
        queue.has_members(GROUP, 0).await;
    }

    async fn whoever_is_dropped_is_followed(queue: Queue) {
        queue.declare(TOPIC, 3).await.unwrap();
        let mut first = queue.member().await;
        queue.publish(&spread(8, 5)).await;
        let done = first.handle(11).await;
        let held = first.hold(2).await;
        drop(held);
        drop(first);
        let mut second = queue.member().await;
        let rest = second.handle(29).await;
        assert_in_order(&[done, rest].concat(), 8, 5);
        queue.finished(GROUP).await;
        second.gets_nothing().await;
    }

    async fn members_come_and_go_and_nothing_is_lost_or_twice(queue: Queue) {
        queue.declare(TOPIC, 4).await.unwrap();
        let log = Log::default();
        let mut working = vec![Working::start(0, queue.member().await, &log, Goes::Closed)];
        let publisher = queue.publisher();
        let publishing = tokio::spawn(async move {
            for batch in spread(12, 60).chunks(12) {
                publish(&*publisher, batch).await;
                // Over all the time in which members come and go.
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        });
        for number in 1..9 {
            let goes = if number % 2 == 0 { Goes::Closed } else { Goes::Dropped };
            working.push(Working::start(number, queue.member().await, &log, goes));
            let handled = log.lock().unwrap().len();
            eventually("the group goes on", async || {
                let now = log.lock().unwrap().len();
                now >= (handled + 40).min(720)
            })
            .await;
            if number >= 2 {
                working.remove(0).go().await;
            }
        }
        publishing.await.unwrap();
        eventually("all is handled", async || log.lock().unwrap().len() >= 720).await;
        queue.finished(GROUP).await;
        let seen = acked(&log);
        let each: BTreeSet<_> = seen.iter().map(|seen| seen.id).collect();
        assert_eq!((each.len(), seen.len()), (720, 720), "lost or twice");
        assert_in_order(&seen, 12, 60);
        for member in working {
            member.go().await;
        }
    }

    async fn groups_are_independent(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut stuck = queue.member().await;
        let mut other = queue.member_of("billing", Start::Beginning).await;
        queue.publish(&spread(2, 5)).await;
        let held = stuck.hold(1).await;
        let failing = stuck.one().await;
        failing.retry(LONG, "not now").await.unwrap();
        let seen = other.handle(10).await;
        assert_in_order(&seen, 2, 5);
        assert!(seen.iter().all(|seen| seen.attempt == 1));
        queue.finished("billing").await;
        assert!(queue.group(GROUP).await.unwrap().unfinished >= 9);
        drop(held);
    }

    async fn removing_a_group_closes_its_members(queue: Queue) {
        let mut member = queue.member().await;
        let mut other = queue.member_of("billing", Start::Beginning).await;
        queue.publish(&spread(4, 1)).await;
        member.one().await.dead("broken").await.unwrap();
        let held = member.one().await;
        member.one().await.retry(LONG, "not now").await.unwrap();
        assert_eq!(queue.remove_group(GROUP).await, Ok(true));
        assert_eq!(queue.remove_group(GROUP).await, Ok(false));
        member.is_closed().await;
        let late = held.ack().await;
        assert!(late.is_err(), "of a group that is gone");
        assert_eq!(queue.group(GROUP).await, Err(outbox_tests::Refused::UnknownGroup));
        // Others of the topic are not concerned, and one of the same name is a new one.
        assert_eq!(other.handle(4).await.len(), 4);
        let mut again = queue.member().await;
        let seen = again.handle(4).await;
        assert_in_order(&seen, 4, 1);
        assert!(seen.iter().all(|seen| seen.attempt == 1));
        assert_eq!(queue.group(GROUP).await.unwrap().dead, 0);
        member.is_closed().await;
    }
}
