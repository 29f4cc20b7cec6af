//! What a guard answers, and when it commits.

use std::time::Duration;

use idempotency::{Duplicate, Idempotency, IdempotencyError, Outcome, Retention, RunError, StoredOutcome};
use outbox_core::Message;
use outbox_sqlx::{Outbox, OutboxError};
use sqlx::Executor;
use transaction_scope::TransactionError;

use crate::databases::{effect, effects, on_each, rows};

const DAY: Duration = Duration::from_secs(86_400);

on_each! {
    async fn a_publish_that_failed_forbids_the_commit_though_nobody_was_told(pool) {
        outbox_sqlx::migrate(pool).await.unwrap();
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let outbox = Outbox::new();
        let published = |topic: &'static str| {
            let (guard, outbox) = (&guard, &outbox);
            async move {
                guard
                    .run("s", "publishing", async |tx| {
                        tx.execute(effect("publishing")).await.unwrap();
                        let _ = outbox.publish(tx, Message::builder(topic)).await;
                        Ok::<_, OutboxError>(())
                    })
                    .await
            }
        };
        let forbidden = published("not a topic").await;
        assert!(
            matches!(&forbidden, Err(RunError::Transaction(TransactionError::Forbidden { .. }))),
            "{forbidden:?}"
        );
        assert_eq!((effects!(pool, "publishing"), rows!(pool, "publishing")), (0, 0));
        assert_eq!(published("topic").await.unwrap(), Outcome::First(()));
        let messages: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM outbox").fetch_one(pool).await.unwrap();
        assert_eq!((effects!(pool, "publishing"), rows!(pool, "publishing"), messages), (1, 1, 1));
    }
}

on_each! {
    async fn a_duplicate_gets_the_first_ones_answer(pool) {
        #[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        struct Receipt {
            number: u64,
            lines: Vec<String>,
        }
        let receipt = |number| Receipt { number, lines: vec!["ä".to_owned(), "\"\0".to_owned()] };
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let run = async |number| {
            guard
                .run_stored("s", "stored", async |tx| {
                    tx.execute(effect("stored")).await.map(drop)?;
                    Ok::<_, sqlx::Error>(receipt(number))
                })
                .await
                .unwrap()
        };
        assert_eq!(run(1).await, StoredOutcome::First(receipt(1)));
        for number in 2..4 {
            assert_eq!(run(number).await, StoredOutcome::Replayed(receipt(1)));
        }
        assert_eq!(effects!(pool, "stored"), 1);

        // What was kept of another type, or not at all, is said and not invented.
        let other = guard.run_stored("s", "stored", async |_| Ok::<u8, sqlx::Error>(1)).await;
        assert!(matches!(other, Err(RunError::Refused(IdempotencyError::Answer { .. }))), "{other:?}");
        let _ = guard.run("s", "bare", async |_| Ok::<_, sqlx::Error>(())).await.unwrap();
        let none = guard.run_stored("s", "bare", async |_| Ok::<u8, sqlx::Error>(1)).await;
        assert!(matches!(none, Err(RunError::Refused(IdempotencyError::NoAnswer))), "{none:?}");

        // An answer that can't be kept takes the effect with it.
        let long = guard
            .run_stored("s", "too long", async |tx| {
                tx.execute(effect("too long")).await.map(drop)?;
                Ok::<_, sqlx::Error>("x".repeat(idempotency::ANSWER_BYTES))
            })
            .await;
        assert!(matches!(long, Err(RunError::Refused(IdempotencyError::AnswerTooLong { .. }))));
        assert_eq!((effects!(pool, "too long"), rows!(pool, "too long")), (0, 0));
    }
}

on_each! {
    async fn another_request_under_the_same_key_is_a_conflict_that_reveals_nothing(pool) {
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let run = async |body: &'static str| {
            guard
                .operation("s", "print")
                .fingerprint(body)
                .run_stored(async |tx| {
                    tx.execute(effect("print")).await.map(drop)?;
                    Ok::<_, sqlx::Error>("card 4711".to_owned())
                })
                .await
        };
        assert_eq!(run("one").await.unwrap(), StoredOutcome::First("card 4711".to_owned()));
        assert_eq!(run("one").await.unwrap(), StoredOutcome::Replayed("card 4711".to_owned()));
        let conflict = run("two").await.unwrap_err();
        assert!(matches!(conflict, RunError::Conflict), "{conflict:?}");
        assert!(!conflict.is_retryable());
        let told = format!("{conflict} {conflict:?}");
        assert!(!told.contains("4711") && !told.contains("print"), "{told}");
        assert_eq!(effects!(pool, "print"), 1);
        let decisions = guard.decisions();
        assert_eq!((decisions.first, decisions.duplicate_ledger, decisions.conflict), (1, 1, 1));
        // Who says nothing of the request asks for the same.
        let bare = guard.run("s", "print", async |_| Ok::<_, sqlx::Error>(())).await.unwrap();
        assert_eq!(bare, Outcome::Duplicate(Duplicate::Ledger));
    }
}

#[tokio::test]
async fn settings_that_can_not_hold_are_refused_by_their_names() {
    let pool = transaction_scope::sqlite::open("sqlite::memory:").await.unwrap();
    idempotency::migrate(&pool).await.unwrap();
    let builder = || Idempotency::builder(pool.clone());
    let short = Retention::of(20 * DAY).redelivery(7 * DAY).dead_letters(30 * DAY);
    let refused = builder().retention(short).build().await.unwrap_err();
    assert!(
        matches!(refused, IdempotencyError::RetentionTooShort { keeps, needed, .. }
            if keeps == 20 * DAY && needed == 37 * DAY),
        "{refused}"
    );
    for (name, builder) in [
        ("lock_timeout", builder().lock_timeout(Duration::from_secs(10))),
        ("lock_timeout", builder().lease(Duration::from_secs(2))),
        (
            "command_timeout",
            builder().command_timeout(Duration::from_secs(4)),
        ),
    ] {
        let refused = builder.build().await.unwrap_err();
        assert!(
            matches!(refused, IdempotencyError::NotBelowLease { name: n, .. } if n == name),
            "{refused}"
        );
    }
    for (name, builder) in [
        ("lease", builder().lease(Duration::ZERO)),
        ("lease", builder().lease(Duration::from_secs(1_000_000))),
        ("lock_timeout", builder().lock_timeout(Duration::ZERO)),
        ("done_ttl", builder().done_ttl(Duration::from_secs(8 * 86_400))),
        (
            "done_ttl",
            builder().retention(Retention::of(Duration::from_secs(60))),
        ),
    ] {
        let refused = builder.build().await.unwrap_err();
        assert!(
            matches!(refused, IdempotencyError::Setting { name: n, .. } if n == name),
            "{refused}"
        );
    }
    builder().build().await.unwrap();
}
