//! An engine that dies, loses answers or its stream, under a relay and its consumers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use outbox_brokers::Ordering;
use outbox_core::Message;
use outbox_core::consumer::{Consumer, HandleError, Stopped};
use outbox_sqlx::Outbox;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::engine::*;
use crate::support::{Kind, SOON, World, rounds, start};

/// What a consumer has handled, in its order, whoever handled it.
#[derive(Clone, Default)]
struct Handled(Arc<Mutex<Vec<(String, u64)>>>);

impl Handled {
    /// A consumer of the group, whose handler fails by chance.
    async fn consumer(&self, engine: &Engine, stop: &CancellationToken) -> JoinHandle<Stopped> {
        let this = self.clone();
        let handle = move |message: Message| {
            let this = this.clone();
            async move {
                if fastrand::u32(0..50) == 0 {
                    return Err(HandleError::retryable("by chance"));
                }
                let number = std::str::from_utf8(message.payload()).unwrap().parse().unwrap();
                this.0
                    .lock()
                    .unwrap()
                    .push((message.key().unwrap().to_owned(), number));
                Ok(())
            }
        };
        let subscriber = engine
            .again()
            .await
            .subscribe(GROUP, &[TOPIC], Ordering::PerKey)
            .await
            .unwrap();
        let consumer = Consumer::builder(subscriber, handle)
            .handler_timeout(LEASE / 2)
            .build()
            .unwrap();
        tokio::spawn(consumer.run(stop.clone()))
    }

    fn distinct(&self) -> usize {
        let handled = self.0.lock().unwrap();
        handled.iter().collect::<std::collections::HashSet<_>>().len()
    }

    /// Each key has all of its numbers, and the first time of each is in order.
    fn assert_complete(&self, keys: usize, messages: u64) {
        let mut by_key: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let handled = self.0.lock().unwrap();
        for (key, number) in &*handled {
            let of_key = by_key.entry(key).or_default();
            if !of_key.contains(number) {
                of_key.push(*number);
            }
        }
        assert_eq!(by_key.len(), keys);
        let violations = by_key.values().filter(|numbers| !numbers.is_sorted()).count();
        let complete: u64 = by_key.values().map(|numbers| numbers.len() as u64).sum();
        println!(
            "messages={messages} handled={} duplicates={} lost={} order_violations={violations}",
            handled.len(),
            handled.len() as u64 - complete,
            messages - complete
        );
        assert_eq!((complete, violations), (messages, 0));
    }
}

/// The next messages of each of `keys` keys.
fn numbered(keys: usize, from: u64, to: u64) -> impl Iterator<Item = outbox_core::MessageBuilder> {
    (from..to).map(move |n| {
        let key = format!("k{}", n % keys as u64);
        Message::builder(TOPIC)
            .key(key)
            .payload(n.to_string(), "text/plain")
    })
}

on_every_engine! {
    async fn a_server_is_killed_under_load(engine: Harmed) {
        let mut engine = engine;
        let Some(world) = World::new(Kind::Sqlite).await else { return };
        let (keys, kills) = (40, u64::from(rounds(3, 20)));
        let messages = u64::from(rounds(2_000, 10_000));
        let outbox = Outbox::new();
        let relay = start(&world, &outbox, engine.publisher(), |_| {});
        let (handled, stop) = (Handled::default(), CancellationToken::new());
        let consumers = [handled.consumer(&engine, &stop).await, handled.consumer(&engine, &stop).await];
        let per_kill = messages / (kills + 1);
        for kill in 0..=kills {
            world.publish(&outbox, numbered(keys, kill * per_kill, (kill + 1) * per_kill)).await;
            if kill < kills {
                engine.server.kill();
                engine.server.restart();
            }
        }
        let messages = (kills + 1) * per_kill;
        world.wait_empty(SOON * 2).await;
        // However long it takes a busy machine: it goes on.
        let mut so_far = 0;
        while so_far < messages {
            let more = format!("more than {so_far} of {messages} are handled");
            eventually(&more, async || handled.distinct() as u64 > so_far).await;
            so_far = handled.distinct() as u64;
        }
        assert_eq!((relay.stats.dead.get(), relay.stats.refused.get()), (0, 0), "an outage costs no attempt");
        relay.stop().await;
        stop.cancel();
        for consumer in consumers {
            consumer.await.unwrap();
        }
        println!("killed {kills} times under load:");
        handled.assert_complete(keys, messages);
        assert!(engine.dead(GROUP).await.is_empty());
    }

    /// A server that stands still for longer than anybody waits.
    async fn a_server_that_stands_still_costs_nothing(engine: Harmed) {
        let Some(world) = World::new(Kind::Sqlite).await else { return };
        let outbox = Outbox::new();
        let broker = connect(&engine.url("&timeout=500ms")).await;
        let mut member = engine.member().await;
        let relay = start(&world, &outbox, broker.publisher(), |_| {});
        world.publish(&outbox, numbered(4, 0, 20)).await;
        world.wait_empty(SOON).await;
        engine.server.freeze();
        world.publish(&outbox, numbered(4, 20, 40)).await;
        eventually("the breaker is open", async || relay.stats.breaker_opened.get() > 0).await;
        engine.server.thaw();
        world.wait_empty(SOON).await;
        assert_eq!((relay.stats.dead.get(), relay.stats.refused.get()), (0, 0));
        relay.stop().await;
        let mut texts = BTreeSet::new();
        while texts.len() < 40 {
            for delivery in member.next(10).await {
                let text = Seen::of(&delivery).text;
                // Received before it stood still, it may be a member's no more, and comes again.
                if delivery.ack().await.is_ok() {
                    texts.insert(text);
                }
            }
        }
    }

    /// Taken, and nobody heard: not settled, and sent again until the answer comes; an engine that drops what is repeated has it once.
    async fn acks_that_are_lost_settle_nothing(engine: Proxied) {
        let Some(world) = World::new(Kind::Sqlite).await else { return };
        let mut member = engine.member().await;
        let proxy = Deaf::start(&*engine.server).await;
        let broker = connect(&engine.url_at(proxy.port(), "&timeout=500ms")).await;
        let (outbox, publisher) = (Outbox::new(), broker.publisher());
        let relay = start(&world, &outbox, Arc::clone(&publisher), |_| {});
        world.publish(&outbox, numbered(4, 0, 20)).await;
        world.wait_empty(SOON).await;
        // One that has a connection for each call has them all by now: without answers none could be made.
        for _ in 0..publisher.capabilities().max_in_flight {
            publisher.probe().await.unwrap();
        }
        proxy.lose_answers(true);
        world.publish(&outbox, numbered(4, 20, 40)).await;
        eventually("the relay has given up on answers", async || relay.stats.unanswered.get() > 0).await;
        assert_eq!(world.backend.pending().await.unwrap(), 20, "settled without an ack");
        let mut texts = BTreeSet::new();
        let mut handle = async |texts: &mut BTreeSet<String>, distinct: usize| {
            let mut handled = 0;
            while texts.len() < distinct {
                texts.extend(member.handle(1).await.into_iter().map(|seen| seen.text));
                handled += 1;
            }
            handled
        };
        let first = handle(&mut texts, 21).await;
        assert!(texts.len() > 20, "the stream has taken what it did not answer for");
        proxy.lose_answers(false);
        world.wait_empty(SOON).await;
        assert_eq!((relay.stats.dead.get(), relay.stats.refused.get()), (0, 0));
        relay.stop().await;
        let rest = handle(&mut texts, 40).await;
        if engine.does().drop_repeated {
            assert_eq!(first + rest, 40);
            member.gets_nothing().await;
        }
    }
}
