//! Two groups, one of them slow, whose consumers are started, stopped, killed, and frozen past their lease and
//! continued, at random, while messages of 100 keys come, and one attempt in fifty fails.

use std::time::Duration;

use outbox_test_harness::ChildProcess;
use outbox_tests::Verdict;

use super::appending::Appender;
use crate::support::{Kind, SOON, World, rounds, seed, terminate_consumer};

const LEASE: Duration = Duration::from_secs(1);
const PAST_THE_LEASE: Duration = Duration::from_millis(1_500);

/// A group and its consumers.
struct Group {
    name: &'static str,
    /// How many members it has, dead ones too.
    members: &'static str,
    arguments: &'static [&'static str],
    consumers: Vec<ChildProcess>,
    frozen: Vec<ChildProcess>,
}

impl Group {
    fn change(&mut self, world: &World, random: &mut fastrand::Rng) {
        if let Some(thawed) = self.frozen.pop() {
            thawed.thaw();
            self.consumers.push(thawed);
        }
        if self.consumers.is_empty() || (self.consumers.len() < 4 && random.bool()) {
            self.consumers
                .push(world.spawn_consumer(self.name, self.arguments));
            return;
        }
        let mut consumer = self.consumers.swap_remove(random.usize(0..self.consumers.len()));
        match random.u32(0..3) {
            0 => consumer.kill9().unwrap(),
            1 => terminate_consumer(consumer),
            _ => {
                consumer.freeze().unwrap();
                if world.kind() == Kind::Sqlite {
                    // One that is frozen in the middle of a transaction keeps the only write lock from everybody, and
                    // they wait for ten seconds at most.
                    std::thread::sleep(PAST_THE_LEASE);
                    consumer.thaw();
                    self.consumers.push(consumer);
                } else {
                    self.frozen.push(consumer);
                }
            }
        }
    }

    fn end(&mut self) {
        for frozen in self.frozen.drain(..) {
            frozen.thaw();
            self.consumers.push(frozen);
        }
        self.consumers.drain(..).for_each(terminate_consumer);
    }
}

on_each! {
    async fn consumers_started_stopped_killed_and_frozen_at_random(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let (changes, seed) = (rounds(10, 60), seed());
        let messages = rounds(2_000, 10_000) as usize;
        let mut random = fastrand::Rng::with_seed(seed);
        let queue = world.backend.queue(LEASE).unwrap();
        let mut groups = [
            Group { name: "fast", members: "SELECT count(*) FROM outbox_group_member m JOIN outbox_group g ON g.id = m.group_id WHERE g.name = 'fast'", arguments: &["--fail-one-in", "50"], consumers: Vec::new(), frozen: Vec::new() },
            Group {
                name: "slow", members: "SELECT count(*) FROM outbox_group_member m JOIN outbox_group g ON g.id = m.group_id WHERE g.name = 'slow'",
                arguments: &["--fail-one-in", "50", "--handler-ms", "4"],
                consumers: Vec::new(),
                frozen: Vec::new(),
            },
        ];
        for group in &mut groups {
            group.change(&world, &mut random);
        }
        let mut appender = Appender::new(&queue);
        for change in 0..changes as usize {
            let share = messages * (change + 1) / changes as usize - messages * change / changes as usize;
            let pause = Duration::from_millis(random.u64(1..15));
            appender.append_random(&mut random, share, 100, 20, pause).await;
            for group in &mut groups {
                group.change(&world, &mut random);
            }
        }
        for group in &mut groups {
            if group.consumers.is_empty() {
                group.consumers.push(world.spawn_consumer(group.name, group.arguments));
            }
            world.wait_handled(&queue, group.name, SOON * 4).await;
            // Who was killed or frozen last still has its lease; when nobody is left who could, it would not be buried.
            let alive = i64::try_from(group.consumers.len()).unwrap();
            world.wait_count(group.members, alive, SOON).await;
            group.end();
        }
        for group in &groups {
            let info = queue.group(group.name).await.unwrap();
            println!("{}: consumers changed {changes} times:", group.name);
            let verdict = Verdict::of_group(&world.journal_of(group.name), &appender.appended, info.dead as usize, seed);
            verdict.unwrap().assert_kept();
            assert_eq!((info.dead, info.members), (0, 0), "{info:?}");
            let held = world.backend.count("SELECT count(*) FROM outbox_group_queue WHERE owner IS NOT NULL").await;
            assert_eq!(held.unwrap(), 0, "after a stop nothing is held");
        }
    }
}
