//! What operators see of dead letters and do with them, those of the outbox and of consumer groups alike.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use outbox_core::{Message, Publisher as _, Subscriber as _};
use outbox_sqlx::dead_letters::{
    Action, AuditEntry, AuditFilter, DeadLetterFilter, DeadLetters, DeadReason, Fingerprint, Rate,
    RedriveOptions, Source,
};
use outbox_sqlx::queue::{QueueDatabase, SqlQueue};
use outbox_sqlx::{OutboxError, dead};
use sqlx::{AssertSqlSafe, Executor, Pool};
use tokio_util::sync::CancellationToken;

use crate::databases::{Speaks as _, on_each};
use crate::dead::{bury, id};

const GROUP: &str = "shipping";

/// Messages of a topic that a group gave up on: their keys, and what they died of. The payload is the place in the list.
async fn refuse<DB: QueueDatabase>(pool: &Pool<DB>, group: &str, topic: &str, letters: &[(&str, &str)]) {
    let queue = SqlQueue::new(pool.clone());
    let mut member = queue.subscribe(group, [topic]).await.unwrap();
    let messages: Vec<Message> = letters
        .iter()
        .enumerate()
        .map(|(n, (key, _))| {
            let message = Message::builder(topic)
                .key(*key)
                .payload(n.to_string(), "text/plain");
            message.build().unwrap()
        })
        .collect();
    for answer in queue.publisher().publish(&messages).await {
        answer.unwrap();
    }
    let mut left = letters.len();
    while left > 0 {
        for delivery in member.receive(100).await.unwrap() {
            let n: usize = std::str::from_utf8(delivery.message().payload())
                .unwrap()
                .parse()
                .unwrap();
            delivery.dead(letters[n].1).await.unwrap();
            left -= 1;
        }
    }
    member.close().await.unwrap();
}

/// All that the filter finds, in pages of so many; each page after something was done.
async fn all_of<DB: QueueDatabase>(
    letters: &DeadLetters<DB>,
    filter: &DeadLetterFilter,
    limit: u32,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = letters.list(filter, after.as_ref(), limit).await.unwrap();
        assert!(page.letters.len() <= limit as usize);
        found.extend(page.letters.iter().map(|letter| letter.position.to_string()));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

async fn audit_of<DB: QueueDatabase>(pool: &Pool<DB>, filter: &AuditFilter) -> Vec<AuditEntry> {
    DeadLetters::new(pool.clone())
        .audit(filter, None, 0)
        .await
        .unwrap()
}

fn per_second(messages: u32) -> RedriveOptions {
    RedriveOptions::new().rate(Rate::per_second(NonZeroU32::new(messages).unwrap()))
}

macro_rules! scalar {
    ($pool:expr, $sql:expr) => {{
        let value: i64 = sqlx::query_scalar($sql).fetch_one(&$pool).await.unwrap();
        value
    }};
}

on_each! {
    async fn those_of_the_outbox_and_of_groups_are_one_list(pool) {
        bury(&pool, &[(1, "a", Some("k"), "skipped"), (2, "b", None, "unconfirmed"), (3, "a", Some("l"), "parked"), (4, "a", Some("k"), "invalid")]).await;
        pool.execute("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('a', 'l', 0)").await.unwrap();
        pool.execute("UPDATE outbox_dead SET last_error = 'order 17 has no stock' WHERE id = 1").await.unwrap();
        pool.execute("UPDATE outbox_dead SET last_error = NULL WHERE id = 2").await.unwrap();
        refuse(&pool, GROUP, "a", &[("k", "order 18 has no stock"), ("k", "no")]).await;
        refuse(&pool, "billing", "b", &[("m", "card 'A1' refused")]).await;
        let letters = DeadLetters::new(pool.clone());
        let all = DeadLetterFilter::new();
        let everything = all_of(&letters, &all, 100).await;
        assert_eq!(everything.len(), 7);
        assert_eq!(everything[..4], ["outbox/1", "outbox/2", "outbox/3", "outbox/4"]);
        assert!(everything[4].starts_with("group:billing/") && everything[6].starts_with("group:shipping/"), "{everything:?}");
        for limit in [1, 2, 3, 7] {
            assert_eq!(all_of(&letters, &all, limit).await, everything, "in pages of {limit}");
        }
        let page = letters.list(&all, None, 0).await.unwrap().letters;
        assert_eq!(page.iter().map(|letter| letter.is_parked).collect::<Vec<_>>(), [false, false, true, false, false, false, false]);
        let reasons = [DeadReason::Skipped, DeadReason::Unconfirmed, DeadReason::Parked, DeadReason::Invalid, DeadReason::Skipped, DeadReason::Skipped, DeadReason::Skipped];
        assert_eq!(page.iter().map(|letter| letter.reason).collect::<Vec<_>>(), reasons);
        assert_eq!((page[0].id, page[0].attempts, page[0].payload_bytes), (id(1), 10, 1));
        assert_eq!((page[5].topic.as_str(), page[5].key.as_deref(), page[5].attempts), ("a", Some("k"), 1));
        assert!(page.iter().all(|letter| letter.died_at.elapsed().unwrap_or_default() < Duration::from_secs(600)));

        let no_stock = Fingerprint::of(Some("order 1 has no stock"));
        let group = || all.clone().source(Source::group(GROUP));
        for (filter, expected) in [
            (all.clone().source(Source::Outbox), vec![0, 1, 2, 3]),
            (group(), vec![5, 6]),
            (group().source(Source::Outbox).source(Source::Outbox), vec![0, 1, 2, 3, 5, 6]),
            (all.clone().topic("b"), vec![1, 4]),
            (all.clone().topic("a").key("k"), vec![0, 3, 5, 6]),
            (all.clone().message(page[5].id), vec![5]),
            (all.clone().message(id(3)), vec![2]),
            (all.clone().fingerprint(no_stock), vec![0, 5]),
            (all.clone().fingerprint(Fingerprint::of(None)), vec![1]),
            (all.clone().fingerprint(Fingerprint::of(Some("card 'B 2' refused"))), vec![4]),
            (all.clone().reason(DeadReason::Unconfirmed), vec![1]),
            (all.clone().reason(DeadReason::Skipped).topic("a"), vec![0, 5, 6]),
            (all.clone().topic("none"), vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|n: usize| everything[n].clone()).collect();
            for limit in [1, 2, 50] {
                assert_eq!(all_of(&letters, &filter, limit).await, expected, "{filter:?}");
            }
        }

        for unknown in ["none", "outbox"] {
            let filter = group().source(Source::group(unknown));
            let error = letters.list(&filter, None, 100).await.unwrap_err();
            assert!(matches!(&error, OutboxError::UnknownGroup { group } if group == unknown), "{error:?}");
            let error = letters.summary(&filter, None).await.unwrap_err();
            assert!(matches!(&error, OutboxError::UnknownGroup { group } if group == unknown), "{error:?}");
            let error = letters.redrive_all(&all.clone().source(Source::group(unknown)), "me", &RedriveOptions::new(), |_| {}).await.unwrap_err();
            assert!(matches!(&error, OutboxError::UnknownGroup { group } if group == unknown), "{error:?}");
        }

        for n in [0, 5] {
            let content = letters.show(&page[n].position).await.unwrap();
            assert_eq!(content.letter, page[n]);
            assert_eq!(content.payload.len() as u64, page[n].payload_bytes);
            let shown = format!("{content:?}");
            assert!(!shown.contains("payload:") && !shown.contains("headers") && shown.contains("topic: \"a\""), "{shown}");
        }
        for gone in ["outbox/9", "outbox/0", "group:shipping/1/99999", "group:shipping/99/0"] {
            let error = letters.show(&gone.parse().unwrap()).await.unwrap_err();
            assert!(matches!(&error, OutboxError::NoLetter { position } if position == gone), "{error:?}");
        }
        let error = letters.show(&"group:none/1/1".parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, OutboxError::UnknownGroup { .. }), "{error:?}");
    }
}

on_each! {
    async fn letters_are_found_by_when_they_died(pool) {
        bury(&pool, &[(1, "a", None, "skipped"), (2, "a", None, "skipped")]).await;
        refuse(&pool, GROUP, "a", &[("k", "no"), ("l", "no")]).await;
        // Some of them an hour ago.
        for (table, which) in [("outbox_dead", "id = 1"), ("outbox_group_dead", "message_key = 'k'")] {
            let hour = pool.say("died_at - 3600000000", "died_at - interval '1 hour'", "died_at - INTERVAL 1 HOUR");
            pool.execute(AssertSqlSafe(format!("UPDATE {table} SET died_at = {hour} WHERE {which}"))).await.unwrap();
        }
        let letters = DeadLetters::new(pool.clone());
        let all = DeadLetterFilter::new();
        let page = letters.list(&all, None, 0).await.unwrap().letters;
        let is_old = |n: usize| page[n].died_at.elapsed().unwrap_or_default() > Duration::from_secs(1_800);
        let old: Vec<_> = (0..4).filter(|&n| is_old(n)).map(|n| page[n].position.to_string()).collect();
        let young: Vec<_> = (0..4).filter(|&n| !is_old(n)).map(|n| page[n].position.to_string()).collect();
        assert_eq!((old.len(), young.len()), (2, 2));
        let half = Duration::from_secs(1_800);
        let then = SystemTime::now() - half;
        assert_eq!(all_of(&letters, &all.clone().older_than(half), 1).await, old);
        assert_eq!(all_of(&letters, &all.clone().younger_than(half), 1).await, young);
        assert_eq!(all_of(&letters, &all.clone().died_before(then), 1).await, old);
        assert_eq!(all_of(&letters, &all.clone().died_after(then), 1).await, young);
        assert_eq!(all_of(&letters, &all.clone().died_after(then).older_than(half), 1).await, Vec::<String>::new());
        assert_eq!(all_of(&letters, &all.clone().older_than(Duration::ZERO), 9).await.len(), 4);
        // From a moment on, and before it.
        let moment = page[1].died_at;
        assert!(all_of(&letters, &all.clone().died_after(moment), 9).await.contains(&page[1].position.to_string()));
        assert!(!all_of(&letters, &all.clone().died_before(moment), 9).await.contains(&page[1].position.to_string()));
        let ever = all.died_after(SystemTime::UNIX_EPOCH).younger_than(Duration::MAX);
        assert_eq!(all_of(&letters, &ever, 9).await.len(), 4);
    }
}

on_each! {
    /// Whoever is dead all the time is on one page and on no other; so it is with a filter that is applied here.
    async fn pages_are_whole_while_rows_come_and_go(pool) {
        let rows: Vec<_> = (10..40).map(|n| (n, "a", None, "skipped")).collect();
        bury(&pool, &rows).await;
        refuse(&pool, GROUP, "a", &[("k", "no"); 12]).await;
        let letters = DeadLetters::new(pool.clone());
        for filter in [DeadLetterFilter::new(), DeadLetterFilter::new().fingerprint(Fingerprint::of(Some("no")))] {
            let before: BTreeSet<String> = all_of(&letters, &filter, 100).await.into_iter().collect();
            let mut seen = BTreeMap::new();
            let mut gone = BTreeSet::new();
            let (mut after, mut round) = (None, 0_i64);
            loop {
                let page = letters.list(&filter, after.as_ref(), 4).await.unwrap();
                for letter in &page.letters {
                    *seen.entry(letter.position.to_string()).or_insert(0) += 1;
                }
                // One that was on the page goes, one that was not, and one comes below all.
                if let Some(letter) = page.letters.first() {
                    letters.redrive(&letter.position, "me").await.unwrap();
                    gone.insert(letter.position.to_string());
                }
                let last = letters.list(&filter, None, 1_000).await.unwrap().letters.pop();
                if let Some(last) = last.filter(|last| round % 3 == 0 && !seen.contains_key(&last.position.to_string())) {
                    letters.discard(&last.position, "for a test", "me").await.unwrap();
                    gone.insert(last.position.to_string());
                }
                round += 1;
                if filter.fingerprint.is_none() {
                    bury(&pool, &[(-round, "a", None, "skipped")]).await;
                }
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert!(seen.values().all(|&times| times == 1), "{seen:?}");
            let missed: Vec<_> = before.iter().filter(|position| !seen.contains_key(*position) && !gone.contains(*position)).collect();
            assert_eq!(missed, Vec::<&String>::new());
            assert!(round > 5);
        }
    }
}

on_each! {
    async fn a_summary_counts_by_cause(pool) {
        let rows: Vec<_> = (1..=9).map(|n| (n, if n < 6 { "a" } else { "b" }, Some("k"), "skipped")).collect();
        bury(&pool, &rows).await;
        for n in 1..=7 {
            pool.execute(AssertSqlSafe(format!("UPDATE outbox_dead SET last_error = 'order-{n} timed out after {n}.5s' WHERE id = {n}"))).await.unwrap();
        }
        refuse(&pool, GROUP, "a", &[("k", "order-99 timed out after 3m 2s"), ("k", "no"), ("l", "order-4 timed out after 8 seconds")]).await;
        let letters = DeadLetters::new(pool.clone());
        let summary = letters.summary(&DeadLetterFilter::new(), None).await.unwrap();
        let timed_out = Fingerprint::of(Some("order-1 timed out after 1s"));
        let counted: Vec<_> = summary.causes.iter().map(|cause| (cause.source.to_string(), cause.topic.as_str(), cause.count, cause.fingerprint == timed_out)).collect();
        let expected = [
            ("outbox", "a", 5, true),
            ("outbox", "b", 2, false),
            ("outbox", "b", 2, true),
            ("group:shipping", "a", 2, true),
            ("group:shipping", "a", 1, false),
        ];
        let expected: Vec<_> = expected.map(|(source, topic, count, is)| (source.to_owned(), topic, count, is)).to_vec();
        assert_eq!(counted.iter().collect::<BTreeSet<_>>(), expected.iter().collect());
        assert!(summary.causes.is_sorted_by_key(|cause| std::cmp::Reverse(cause.count)));
        assert_eq!(summary.causes[0].sample.as_deref(), Some("order-1 timed out after 1.5s"));
        assert!(summary.causes.iter().all(|cause| cause.oldest <= cause.newest));
        assert_eq!((summary.looked_at, summary.is_cut()), (12, false));
        let some = letters.summary(&DeadLetterFilter::new().source(Source::group(GROUP)).fingerprint(timed_out), None).await.unwrap();
        assert_eq!((some.causes.len(), some.causes[0].count), (1, 2));
    }
}

on_each! {
    /// At a rate, in small batches; what dies meanwhile stays dead.
    async fn a_redrive_at_a_rate_takes_its_time(pool) {
        let rows: Vec<_> = (1..=20).map(|n| (n, "a", Some(if n % 2 == 0 { "even" } else { "odd" }), "skipped")).collect();
        bury(&pool, &rows).await;
        let letters = DeadLetters::new(pool.clone());
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let began = Instant::now();
        let redrive = tokio::spawn({
            let letters = letters.clone();
            async move {
                let filter = DeadLetterFilter::new().topic("a");
                letters.redrive_all(&filter, "me", &per_second(50), |so_far| tell.send(so_far.done).unwrap()).await
            }
        });
        let mut batches = vec![told.recv().await.unwrap()];
        bury(&pool, &[(99, "a", Some("even"), "skipped")]).await;
        while let Some(done) = told.recv().await {
            batches.push(done);
        }
        let redriven = redrive.await.unwrap().unwrap();
        assert_eq!((redriven.done, redriven.stopped), (20, false));
        assert_eq!(batches[..4], [5, 10, 15, 20]);
        // The first batch goes at once, three wait a tenth of a second each.
        assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
        let back: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY id").fetch_all(&pool).await.unwrap();
        assert_eq!(back, (1..=20).collect::<Vec<_>>());
        assert_eq!(scalar!(pool, "SELECT id FROM outbox_dead"), 99);
        // As they were, with their attempts forgotten, and their shards are read again from the lowest.
        assert_eq!(scalar!(pool, "SELECT COUNT(*) FROM outbox WHERE attempts = 0 AND due_at IS NULL AND hold = 0"), 20);
        let mut rewinds: Vec<i64> = sqlx::query_scalar("SELECT rewind_to FROM outbox_shard WHERE rewind_to IS NOT NULL").fetch_all(&pool).await.unwrap();
        rewinds.sort_unstable();
        let shards = ["odd", "even"].map(|key| outbox_core::Shard::of("a", Some(key), id(0)));
        assert_eq!(rewinds, [1, 2][..if shards[0] == shards[1] { 1 } else { 2 }]);
        assert_eq!(audit_of(&pool, &AuditFilter::new().action(Action::Redriven).source(Source::Outbox).by("me")).await.len(), 20);
    }
}

on_each! {
    /// Of each key in the old order, though the filter leaves some out and they go in batches.
    async fn a_group_gets_a_keys_letters_in_their_old_order(pool) {
        let mut wanted = Vec::new();
        for n in 0..24 {
            wanted.push((["k", "l", "m"][n % 3], if n % 8 == 7 { "other" } else { "no stock of 3" }));
        }
        refuse(&pool, GROUP, "a", &wanted).await;
        let letters = DeadLetters::new(pool.clone());
        let filter = DeadLetterFilter::new().source(Source::group(GROUP)).fingerprint(Fingerprint::of(Some("no stock of 9")));
        let mut batches = 0;
        let redriven = letters.redrive_all(&filter, "me", &per_second(100), |_| batches += 1).await.unwrap();
        assert_eq!(redriven.done, 21);
        assert!(batches >= 3, "{batches}");
        let queue = SqlQueue::new(pool.clone());
        let mut member = queue.subscribe(GROUP, ["a"]).await.unwrap();
        let mut got: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for _ in 0..21 {
            for delivery in member.receive(1).await.unwrap() {
                let n = std::str::from_utf8(delivery.message().payload()).unwrap().parse().unwrap();
                assert_eq!(delivery.attempt(), 1);
                got.entry(delivery.message().key().unwrap().to_owned()).or_default().push(n);
                delivery.ack().await.unwrap();
            }
        }
        member.close().await.unwrap();
        assert_eq!(got.values().map(Vec::len).sum::<usize>(), 21);
        for numbers in got.values() {
            assert!(numbers.is_sorted(), "{numbers:?}");
        }
        assert_eq!(all_of(&letters, &DeadLetterFilter::new(), 100).await.len(), 3);
        assert_eq!(audit_of(&pool, &AuditFilter::new().source(Source::group(GROUP)).topic("a")).await.len(), 21);
    }
}

on_each! {
    /// In parts, the relay would park the first part again, and the order would be lost.
    async fn a_parked_key_is_redriven_as_a_whole(pool) {
        bury(&pool, &[(7, "a", Some("k"), "parked"), (8, "a", Some("l"), "skipped"), (9, "a", Some("k"), "parked"), (10, "b", Some("k"), "parked")]).await;
        pool.execute("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('a', 'k', 0), ('b', 'k', 0)").await.unwrap();
        pool.execute("UPDATE outbox_dead SET last_error = 'first' WHERE id = 7").await.unwrap();
        let letters = DeadLetters::new(pool.clone());
        let error = letters.redrive(&"outbox/9".parse().unwrap(), "me").await.unwrap_err();
        assert!(matches!(error, OutboxError::KeyParked { others: 1, .. }), "{error:?}");
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_audit"), 0);
        let filter = DeadLetterFilter::new().topic("a").fingerprint(Fingerprint::of(Some("first")));
        let redriven = letters.redrive_all(&filter, "me", &RedriveOptions::new(), |_| {}).await.unwrap();
        assert_eq!((redriven.done, redriven.looked_at), (2, 1 + 2));
        let back: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY id").fetch_all(&pool).await.unwrap();
        assert_eq!(back, [7, 9]);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_parked"), 1);
        // The last letter of a parked key un-parks it.
        letters.redrive(&"outbox/10".parse().unwrap(), "me").await.unwrap();
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_parked"), 0);
        let audit = audit_of(&pool, &AuditFilter::new()).await;
        let mut noted: Vec<_> = audit.iter().map(|entry| entry.message).collect();
        noted.sort_unstable();
        assert_eq!(noted, [id(7), id(9), id(10)]);
    }
}

on_each! {
    async fn two_who_redrive_at_once_redrive_once(pool) {
        let rows: Vec<_> = (1..=150).map(|n| (n, "a", Some(["k", "l", "m", "n"][n as usize % 4]), "skipped")).collect();
        bury(&pool, &rows).await;
        refuse(&pool, GROUP, "a", &[("k", "no"); 20]).await;
        let tasks: Vec<_> = (0..3).map(|n| {
            let letters = DeadLetters::new(pool.clone());
            tokio::spawn(async move {
                letters.redrive_all(&DeadLetterFilter::new(), &format!("me {n}"), &RedriveOptions::new(), |_| {}).await.unwrap().done
            })
        }).collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.unwrap();
        }
        assert_eq!(done, 170);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox"), 150);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_audit"), 170);
    }
}

on_each! {
    async fn a_redrive_can_be_stopped_or_dropped_between_batches(pool) {
        let rows: Vec<_> = (1..=9).map(|n| (n, "a", Some("k"), "skipped")).collect();
        bury(&pool, &rows).await;
        let letters = DeadLetters::new(pool.clone());
        let all = DeadLetterFilter::new();
        let stop = CancellationToken::new();
        let redriven = letters.redrive_all(&all, "me", &per_second(30).stop(stop.clone()), |_| stop.cancel()).await.unwrap();
        assert_eq!((redriven.done, redriven.stopped), (3, true));
        let redriven = letters.redrive_all(&all, "me", &per_second(30).stop(stop), |_| {}).await.unwrap();
        assert_eq!((redriven.done, redriven.stopped), (0, true));
        // Dropped while it waits for the next batch: that of an hour's rate.
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let task = tokio::spawn({
            let letters = letters.clone();
            async move { letters.redrive_all(&DeadLetterFilter::new(), "me", &per_second(1), |_| tell.send(()).unwrap()).await }
        });
        told.recv().await.unwrap();
        task.abort();
        task.await.unwrap_err();
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox"), 4);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_dead"), 5);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_audit"), 4);
    }
}

on_each! {
    async fn what_is_discarded_leaves_its_reason(pool) {
        bury(&pool, &[(1, "a", Some("k"), "skipped"), (2, "a", None, "skipped"), (3, "b", None, "skipped")]).await;
        pool.execute("UPDATE outbox_dead SET last_error = 'the secret is out' WHERE id = 2").await.unwrap();
        refuse(&pool, GROUP, "a", &[("k", "no"), ("l", "no"), ("l", "other")]).await;
        let letters = DeadLetters::new(pool.clone());
        let all = DeadLetterFilter::new();
        let first = "outbox/1".parse().unwrap();
        for blank in ["", " \t\n"] {
            let error = letters.discard(&first, blank, "me").await.unwrap_err();
            assert!(matches!(error, OutboxError::ReasonEmpty), "{error:?}");
            let error = letters.discard_all(&all, blank, "me", |_| {}).await.unwrap_err();
            assert!(matches!(error, OutboxError::ReasonEmpty), "{error:?}");
            let error = letters.discard(&first, "why", blank).await.unwrap_err();
            assert!(matches!(error, OutboxError::ByEmpty), "{error:?}");
            let error = letters.redrive(&first, blank).await.unwrap_err();
            assert!(matches!(error, OutboxError::ByEmpty), "{error:?}");
            let error = letters.redrive_all(&all, blank, &RedriveOptions::new(), |_| {}).await.unwrap_err();
            assert!(matches!(error, OutboxError::ByEmpty), "{error:?}");
        }
        let error = letters.discard(&first, &"x".repeat(1_001), "me").await.unwrap_err();
        assert!(matches!(error, OutboxError::ReasonTooLong { chars: 1_001, max: 1_000 }), "{error:?}");
        let error = letters.discard_all(&all, "why", &"x".repeat(256), |_| {}).await.unwrap_err();
        assert!(matches!(error, OutboxError::ByTooLong { chars: 256, max: 255 }), "{error:?}");
        assert_eq!(all_of(&letters, &all, 9).await.len(), 6);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_audit"), 0);

        // The longest that are allowed are stored as they are.
        let (reason, by) = ("ü".repeat(1_000), "é".repeat(255));
        letters.discard(&"outbox/2".parse().unwrap(), &reason, &by).await.unwrap();
        let error = letters.discard(&"outbox/2".parse().unwrap(), &reason, &by).await.unwrap_err();
        assert!(matches!(error, OutboxError::NoLetter { .. }), "{error:?}");
        let filter = all.clone().topic("a").fingerprint(Fingerprint::of(Some("no")));
        let discarded = letters.discard_all(&filter, "never wanted", "me", |_| {}).await.unwrap();
        assert_eq!(discarded.done, 3);
        assert_eq!(all_of(&letters, &all, 9).await.len(), 2);
        let notes: Vec<(i64, String, String)> = sqlx::query_as("SELECT id, reason, discarded_by FROM outbox_discarded ORDER BY id").fetch_all(&pool).await.unwrap();
        assert_eq!(notes, [(1, "never wanted".to_owned(), "me".to_owned()), (2, reason.clone(), by.clone())]);

        let audit = audit_of(&pool, &AuditFilter::new()).await;
        assert_eq!(audit.len(), 4);
        assert!(audit.is_sorted_by_key(|entry| std::cmp::Reverse(entry.id)));
        let first = &audit[3];
        assert_eq!((first.action, &first.source, first.message), (Action::Discarded, &Source::Outbox, id(2)));
        assert_eq!((first.reason.as_ref(), &first.by), (Some(&reason), &by));
        assert_eq!((first.attempts, first.last_error.as_deref()), (10, Some("the secret is out")));
        assert!(first.at.elapsed().unwrap_or_default() < Duration::from_secs(600));
        for (filter, expected) in [
            (AuditFilter::new().source(Source::group(GROUP)), 2),
            (AuditFilter::new().by("me").topic("a").key("k"), 2),
            (AuditFilter::new().message(id(1)), 1),
            (AuditFilter::new().action(Action::Redriven), 0),
        ] {
            let found = audit_of(&pool, &filter).await;
            assert_eq!(found.len(), expected, "{filter:?}");
        }
        let mut paged = Vec::new();
        while let page @ [_, ..] = &*letters.audit(&AuditFilter::new(), paged.last().map(|entry: &AuditEntry| entry.id), 3).await.unwrap() {
            paged.extend_from_slice(page);
        }
        assert_eq!(paged, audit);
    }
}

on_each! {
    /// Whichever way it is asked for.
    async fn each_action_is_noted_with_who_did_it(pool) {
        bury(&pool, &[(1, "a", None, "skipped"), (2, "a", Some("k"), "skipped"), (3, "a", Some("k"), "skipped"), (4, "a", None, "skipped")]).await;
        pool.execute("INSERT INTO outbox (topic, payload) VALUES ('b', ''), ('c', '')").await.unwrap();
        let due = pool.say("1", "now()", "UTC_TIMESTAMP(6)");
        for (n, topic) in [(21, "b"), (22, "c")] {
            let uuid = format!("{n:032x}");
            let uuid = pool.say("x'{}'", "'{}'", "x'{}'").replace("{}", &uuid);
            pool.execute(AssertSqlSafe(format!("UPDATE outbox SET hold = 2, due_at = {due}, attempts = 7, last_error = 'stuck', message_id = {uuid} WHERE topic = '{topic}'"))).await.unwrap();
        }
        refuse(&pool, GROUP, "a", &[("k", "no"), ("l", "no"), ("m", "no")]).await;
        let queue = SqlQueue::new(pool.clone());
        let refused = queue.dead_letters(GROUP, &outbox_sqlx::queue::GroupDeadFilter::new(), 9).await.unwrap();
        dead::redrive(&pool, id(1), "u1").await.unwrap();
        assert_eq!(dead::redrive_key(&pool, "a", "k", "u2").await.unwrap(), 2);
        dead::discard(&pool, id(4), "w3", "u3").await.unwrap();
        dead::unblock(&pool, id(21), "u4").await.unwrap();
        dead::discard(&pool, id(22), "w5", "u5").await.unwrap();
        assert_eq!(queue.redrive(GROUP, refused[0].id, "u6").await.unwrap(), 1);
        assert_eq!(queue.discard(GROUP, refused[1].id, "w7", "u7").await.unwrap(), 1);
        let rest = queue.redrive_all(GROUP, &outbox_sqlx::queue::GroupDeadFilter::new(), "u8", |_| {}).await.unwrap();
        assert_eq!(rest, 1);
        let mut audit = audit_of(&pool, &AuditFilter::new()).await;
        audit.reverse();
        let group = Source::group(GROUP);
        let noted: Vec<_> = audit.iter().map(|entry| (entry.by.as_str(), entry.action, &entry.source, entry.message, entry.attempts, entry.reason.as_deref())).collect();
        assert_eq!(noted, [
            ("u1", Action::Redriven, &Source::Outbox, id(1), 10, None),
            ("u2", Action::Redriven, &Source::Outbox, id(2), 10, None),
            ("u2", Action::Redriven, &Source::Outbox, id(3), 10, None),
            ("u3", Action::Discarded, &Source::Outbox, id(4), 10, Some("w3")),
            ("u4", Action::Unblocked, &Source::Outbox, id(21), 7, None),
            ("u5", Action::Discarded, &Source::Outbox, id(22), 7, Some("w5")),
            ("u6", Action::Redriven, &group, refused[0].id, 1, None),
            ("u7", Action::Discarded, &group, refused[1].id, 1, Some("w7")),
            ("u8", Action::Redriven, &group, refused[2].id, 1, None),
        ]);
        // Who is not named does nothing.
        let error = queue.redrive(GROUP, refused[0].id, " ").await.unwrap_err();
        assert!(error.to_string().contains("who does this"), "{error}");
        let error = queue.discard(GROUP, refused[0].id, " ", "me").await.unwrap_err();
        assert!(error.to_string().contains("needs a reason"), "{error}");
        for error in [dead::redrive(&pool, id(1), "").await, dead::unblock(&pool, id(21), "").await, dead::redrive_key(&pool, "a", "k", "").await.map(drop)] {
            assert!(matches!(error, Err(OutboxError::ByEmpty)), "{error:?}");
        }
    }
}

on_each! {
    /// Either both are there or none: the line of the audit, and what it says.
    async fn a_line_of_the_audit_commits_with_its_action(pool) {
        bury(&pool, &[(1, "a", Some("k"), "skipped"), (2, "a", None, "skipped")]).await;
        refuse(&pool, GROUP, "a", &[("k", "no")]).await;
        let letters = DeadLetters::new(pool.clone());
        let all = DeadLetterFilter::new();
        let positions = letters.list(&all, None, 9).await.unwrap().letters;
        let (outbox, group) = (&positions[0].position, &positions[2].position);
        for table in ["outbox_discarded", "outbox", "outbox_group_retry", "outbox_audit"] {
            // Without this table the action can't be done, or the line not be written.
            pool.execute(AssertSqlSafe(format!("ALTER TABLE {table} RENAME TO away"))).await.unwrap();
            let outcomes = match table {
                "outbox_discarded" => vec![letters.discard(outbox, "why", "me").await],
                "outbox" => vec![letters.redrive(outbox, "me").await, dead::redrive_key(&pool, "a", "k", "me").await.map(drop)],
                "outbox_group_retry" => vec![letters.redrive(group, "me").await],
                _ => vec![
                    letters.redrive(outbox, "me").await,
                    letters.discard(outbox, "why", "me").await,
                    letters.redrive(group, "me").await,
                    letters.discard(group, "why", "me").await,
                    letters.redrive_all(&all, "me", &RedriveOptions::new(), |_| {}).await.map(drop),
                    letters.discard_all(&all, "why", "me", |_| {}).await.map(drop),
                    dead::redrive_key(&pool, "a", "k", "me").await.map(drop),
                ],
            };
            pool.execute(AssertSqlSafe(format!("ALTER TABLE away RENAME TO {table}"))).await.unwrap();
            for outcome in outcomes {
                assert!(matches!(outcome, Err(OutboxError::Database { .. })), "without {table}: {outcome:?}");
            }
            assert_eq!(all_of(&letters, &all, 9).await.len(), 3, "without {table}");
            for empty in ["outbox_audit", "outbox_discarded", "outbox", "outbox_group_retry"] {
                assert_eq!(scalar!(pool, AssertSqlSafe(format!("SELECT count(*) FROM {empty}"))), 0, "{empty} without {table}");
            }
        }
    }
}
