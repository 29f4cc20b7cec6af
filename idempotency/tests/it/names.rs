//! Which keys are the same.

use idempotency::{Idempotency, IdempotencyError, Outcome, RunError};
use sqlx::Executor;

use crate::databases::{effect, effects, on_each};

on_each! {
    /// Keys are compared byte by byte. Another collation takes some of these for the same, and then an effect is missing.
    async fn keys_that_look_alike_are_different_keys(pool) {
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let keys = ["abc", "ABC", "abc ", "äbc", "a\u{308}bc", "ａｂｃ", "abc\n"];
        for key in keys {
            let outcome = guard.run("s", key, async |tx| tx.execute(effect("alike")).await.map(drop)).await;
            assert_eq!(outcome.unwrap(), Outcome::First(()), "{key:?}");
        }
        for (scope, key) in [("S", "abc"), ("s ", "abc"), ("sa", "bc"), ("sabc", "x")] {
            let outcome = guard.run(scope, key, async |tx| tx.execute(effect("alike")).await.map(drop)).await;
            assert_eq!(outcome.unwrap(), Outcome::First(()), "{scope:?} {key:?}");
        }
        assert_eq!(effects!(pool, "alike"), 11);
        for key in keys {
            let outcome = guard.run("s", key, async |_| Ok::<_, sqlx::Error>(())).await;
            assert!(matches!(outcome, Ok(Outcome::Duplicate(_))), "{key:?} {outcome:?}");
        }
    }
}

on_each! {
    /// Where a database cuts what is too long, the second of these counts as a duplicate, and its effect is lost.
    async fn a_key_that_is_too_long_is_refused_and_not_cut(pool) {
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let long = |end: char| format!("{}{end}", "k".repeat(299));
        for key in [long('a'), long('b')] {
            let refused = guard.run("s", &key, async |tx| tx.execute(effect("long")).await.map(drop)).await;
            assert!(
                matches!(refused, Err(RunError::Refused(IdempotencyError::Name { input: "key", bytes: 300, .. }))),
                "{refused:?}"
            );
        }
        assert_eq!(effects!(pool, "long"), 0);
        // The longest, in letters of two bytes and of one.
        for key in [format!("{}x", "é".repeat(127)), "k".repeat(255)] {
            let outcome = guard.run(&"é".repeat(100), &key, async |tx| tx.execute(effect("long")).await.map(drop)).await;
            assert_eq!(outcome.unwrap(), Outcome::First(()));
        }
        assert_eq!(effects!(pool, "long"), 2);
    }
}
