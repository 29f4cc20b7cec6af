use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::subscriber::ReceiveError;

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    /// Key 0 is none; the delay is in seconds.
    Publish {
        key: u8,
        delay: u8,
    },
    Receive {
        member: u8,
        max: u8,
    },
    Ack {
        which: u8,
    },
    Retry {
        which: u8,
        seconds: u8,
    },
    Dead {
        which: u8,
    },
    Drop {
        which: u8,
    },
    Advance {
        seconds: u8,
    },
    Redrive,
    Grow,
    Pause,
    Join,
    Leave {
        member: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..4, prop_oneof![3 => Just(0u8), 1 => 1u8..20]).prop_map(|(key, delay)| Step::Publish { key, delay }),
        6 => (any::<u8>(), 1u8..5).prop_map(|(member, max)| Step::Receive { member, max }),
        6 => any::<u8>().prop_map(|which| Step::Ack { which }),
        3 => (any::<u8>(), 0u8..10).prop_map(|(which, seconds)| Step::Retry { which, seconds }),
        1 => any::<u8>().prop_map(|which| Step::Dead { which }),
        1 => any::<u8>().prop_map(|which| Step::Drop { which }),
        2 => (0u8..15).prop_map(|seconds| Step::Advance { seconds }),
        1 => Just(Step::Redrive),
        1 => Just(Step::Grow),
        1 => Just(Step::Pause),
        1 => Just(Step::Join),
        1 => any::<u8>().prop_map(|member| Step::Leave { member }),
    ]
}

/// Most queues that the topic grows to.
const MAX_QUEUES: u32 = 12;

/// Where a message is in its key's order.
fn place(delivery: &Delivery) -> (u32, u64) {
    (delivery.queue(), delivery.offset())
}

/// One group's world: its members, what each has out, and what the queue may do next.
struct World {
    queue: MemoryQueue,
    members: BTreeMap<u32, MemorySubscriber>,
    next_member: u32,
    out: Vec<(u32, Delivery)>,
    /// By number: its key.
    published: Vec<u8>,
    acked: BTreeSet<u32>,
    dead: BTreeSet<u32>,
    /// Numbers that were redriven: they may come after later ones of their key.
    redriven: BTreeSet<u32>,
    /// Where each key was last finished, redrives aside: the queue and the offset. A key only ever moves to a queue with a
    /// higher number.
    finished: BTreeMap<u8, (u32, u64)>,
    queues: u32,
    paused: bool,
    failures: BTreeMap<u32, u32>,
}

impl World {
    async fn publish(&mut self, key: u8, delay: u8) {
        let n = self.published.len() as u32;
        let mut builder = Message::builder(TOPIC).json(&n).unwrap();
        if key > 0 {
            builder = builder.key(key.to_string());
        }
        if delay > 0 {
            builder = builder.delay(u32::from(delay) * SECOND);
        }
        publish(&self.queue, [builder.build().unwrap()]).await;
        self.published.push(key);
    }

    fn receive(&mut self, member: u8, max: usize) {
        let Some(&member) = self
            .members
            .keys()
            .nth(usize::from(member) % self.members.len().max(1))
        else {
            return;
        };
        let subscriber = self.members.get_mut(&member).unwrap();
        let Some(received) = tokio::task::unconstrained(subscriber.receive(max)).now_or_never() else {
            return;
        };
        for delivery in received.unwrap() {
            assert!(!self.paused);
            let n = number(&delivery);
            let key = self.published[n as usize];
            assert!(
                !self.acked.contains(&n) && !self.dead.contains(&n),
                "{n} is finished"
            );
            assert_eq!(delivery.attempt(), 1 + self.failures.get(&n).unwrap_or(&0));
            for (owner, other) in &self.out {
                assert!(
                    key == 0 || self.published[number(other) as usize] != key,
                    "two of key {key}"
                );
                assert!(
                    *owner == member || other.queue() != delivery.queue(),
                    "two owners of a queue"
                );
            }
            if key > 0 && !self.redriven.contains(&n) {
                let before = self.finished.get(&key);
                assert!(
                    before.is_none_or(|&before| before < place(&delivery)),
                    "order of key {key}"
                );
            }
            self.out.push((member, delivery));
        }
    }

    fn one_out(&mut self, which: u8) -> Option<Delivery> {
        let which = usize::from(which) % self.out.len().max(1);
        (which < self.out.len()).then(|| self.out.swap_remove(which).1)
    }

    /// The key's earlier messages are all finished: this one's turn was its own.
    fn finish(&mut self, n: u32, place: (u32, u64)) {
        let key = self.published[n as usize];
        if key > 0 && !self.redriven.contains(&n) {
            let before = self.finished.insert(key, place);
            assert!(before.is_none_or(|before| before < place));
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Publish { key, delay } => self.publish(key, delay).await,
            Step::Receive { member, max } => self.receive(member, max.into()),
            Step::Ack { which } => {
                if let Some(delivery) = self.one_out(which) {
                    let (n, place) = (number(&delivery), place(&delivery));
                    delivery.ack().await.unwrap();
                    self.finish(n, place);
                    assert!(self.acked.insert(n));
                }
            }
            Step::Retry { which, seconds } => {
                if let Some(delivery) = self.one_out(which) {
                    *self.failures.entry(number(&delivery)).or_default() += 1;
                    delivery.retry(u32::from(seconds) * SECOND, "x").await.unwrap();
                }
            }
            Step::Dead { which } => {
                if let Some(delivery) = self.one_out(which) {
                    let (n, place) = (number(&delivery), place(&delivery));
                    delivery.dead("x").await.unwrap();
                    self.finish(n, place);
                    self.dead.insert(n);
                }
            }
            Step::Drop { which } => drop(self.one_out(which)),
            Step::Advance { seconds } => tokio::time::advance(u32::from(seconds) * SECOND).await,
            Step::Redrive => {
                assert_eq!(self.queue.redrive_all("g"), self.dead.len());
                for n in std::mem::take(&mut self.dead) {
                    self.failures.remove(&n);
                    self.redriven.insert(n);
                }
            }
            Step::Grow => {
                self.queues = (self.queues + 1).min(MAX_QUEUES);
                self.queue.grow_topic(TOPIC, self.queues).unwrap();
            }
            Step::Pause => {
                self.paused = !self.paused;
                if self.paused {
                    self.queue.pause("g").unwrap();
                } else {
                    self.queue.resume("g").unwrap();
                }
            }
            Step::Join => {
                let member = self.queue.subscribe("g", [TOPIC]).unwrap();
                self.members.insert(self.next_member, member);
                self.next_member += 1;
            }
            Step::Leave { member } => {
                let leaves = self
                    .members
                    .keys()
                    .nth(usize::from(member) % self.members.len().max(1))
                    .copied();
                let Some(leaves) = leaves else { return };
                self.members.remove(&leaves);
                let (orphans, out) = std::mem::take(&mut self.out)
                    .into_iter()
                    .partition(|(owner, _)| *owner == leaves);
                self.out = out;
                for (_, orphan) in orphans {
                    let orphan: Delivery = orphan;
                    assert!(matches!(orphan.ack().await, Err(ReceiveError::Fenced)));
                }
            }
        }
    }

    /// Handles what is left. Afterwards every message was acknowledged once or is dead.
    async fn finish_all(&mut self) {
        self.out.clear();
        if self.paused {
            self.step(Step::Pause).await;
        }
        self.step(Step::Join).await;
        tokio::time::advance(60 * SECOND).await;
        while !self.queue.is_idle("g") {
            let before = self.acked.len();
            for member in 0..self.members.len() {
                self.receive(member as u8, 1_000);
                while !self.out.is_empty() {
                    self.step(Step::Ack { which: 0 }).await;
                }
            }
            assert!(self.acked.len() > before, "stuck: {:?}", self.queue.backlog("g"));
        }
        let all: BTreeSet<u32> = (0..self.published.len() as u32).collect();
        assert_eq!(&self.acked | &self.dead, all, "nothing is lost");
        let usage = self.queue.usage();
        assert_eq!(usage.messages, self.dead.len(), "only the dead letters are kept");
        assert_eq!(usage.bytes == 0, self.dead.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Of a key one at a time and in order, of a queue one owner at a time, attempts counted right,
    /// nothing lost and nothing twice, whatever happens in whatever order.
    #[test]
    fn holds_whatever_happens(steps in proptest::collection::vec(step(), 1..150), queues in 1u32..5) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let builder = MemoryQueue::builder().queues_per_topic(queues);
            let queue = builder.build();
            let first = queue.subscribe("g", [TOPIC]).unwrap();
            let mut world = World {
                queue,
                members: [(0, first)].into(),
                next_member: 1,
                out: Vec::new(),
                published: Vec::new(),
                acked: BTreeSet::new(),
                dead: BTreeSet::new(),
                redriven: BTreeSet::new(),
                finished: BTreeMap::new(),
                queues,
                paused: false,
                failures: BTreeMap::new(),
            };
            for step in steps {
                world.step(step).await;
            }
            world.finish_all().await;
        });
    }
}
