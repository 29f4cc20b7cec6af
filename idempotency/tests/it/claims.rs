//! Claims in transactions that are somebody else's, and what is particular to a database.

use std::time::Duration;

use idempotency::{Claim, Fingerprint, IdempotencyError, Ledger};
use sqlx::{Acquire as _, Executor};
use transaction_scope::{TransactionError, scope};

use crate::databases::{effect, effects, is_mariadb, mysql, on_each, rows};

const DAY: Duration = Duration::from_secs(86_400);
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

on_each! {
    async fn a_claim_is_part_of_the_callers_transaction(pool) {
        let ledger = Ledger::new(DAY, LOCK_TIMEOUT);
        for (commit, expected) in [(false, true), (true, true), (true, false)] {
            let mut tx = pool.begin().await.unwrap();
            let claim = ledger.claim(&mut tx, "s", "own", None).await.unwrap();
            assert_eq!(matches!(claim, Claim::First), expected, "{claim:?}");
            if commit {
                tx.commit().await.unwrap();
            } else {
                tx.rollback().await.unwrap();
            }
        }
        assert_eq!(rows!(pool, "own"), 1);
    }
}

on_each! {
    async fn a_claim_that_failed_forbids_the_commit_around_it(pool) {
        let ledger = Ledger::new(DAY, LOCK_TIMEOUT);
        let fingerprint = |of: &str| Some(Fingerprint::of(of));
        scope(pool, async |tx| {
            let claim = ledger.claim(tx.as_mut(), "s", "taken", fingerprint("one")).await?;
            assert!(matches!(claim, Claim::First));
            ledger.keep_answer(tx.as_mut(), "s", "taken", b"secret").await
        })
        .await
        .unwrap();
        let swallowed = scope(pool, async |tx| {
            tx.execute(effect("forbidden")).await.unwrap();
            let _ = ledger.claim(tx.as_mut(), "s", &"k".repeat(300), None).await;
            Ok::<_, TransactionError>(())
        });
        let error = swallowed.await.unwrap_err();
        assert!(matches!(error, TransactionError::Forbidden { .. }), "{error}");
        let swallowed = scope(pool, async |tx| {
            tx.execute(effect("forbidden")).await.unwrap();
            let claim = ledger.claim(tx.as_mut(), "s", "taken", fingerprint("two")).await.unwrap();
            // Nothing is said of what is stored.
            assert_eq!(format!("{claim:?}"), "Conflict");
            Ok::<_, TransactionError>(())
        });
        let error = swallowed.await.unwrap_err();
        assert!(matches!(error, TransactionError::Forbidden { .. }), "{error}");
        assert_eq!(effects!(pool, "forbidden"), 0);
        // The same again is a duplicate, which forbids nothing, and whose answer is not printed.
        scope(pool, async |tx| {
            tx.execute(effect("allowed")).await.unwrap();
            let claim = ledger.claim(tx.as_mut(), "s", "taken", fingerprint("one")).await?;
            let Claim::Duplicate(stored) = &claim else { panic!("{claim:?}") };
            assert_eq!(stored.answer(), Some(&b"secret"[..]));
            assert_eq!(format!("{stored:?}"), "Stored { answer_bytes: Some(6) }");
            Ok::<_, IdempotencyError>(())
        })
        .await
        .unwrap();
        assert_eq!(effects!(pool, "allowed"), 1);
    }
}

on_each! {
    async fn an_answer_that_is_too_long_is_refused(pool) {
        let ledger = Ledger::new(DAY, LOCK_TIMEOUT);
        let kept = scope(pool, async |tx| {
            let claim = ledger.claim(tx.as_mut(), "s", "long answer", None).await?;
            assert!(matches!(claim, Claim::First));
            ledger.keep_answer(tx.as_mut(), "s", "long answer", &vec![0; idempotency::ANSWER_BYTES + 1]).await
        });
        assert!(matches!(kept.await, Err(IdempotencyError::AnswerTooLong { .. })));
        assert_eq!(rows!(pool, "long answer"), 0);
    }
}

/// Under REPEATABLE READ a plain read looks at the snapshot of the transaction's beginning and finds no row.
#[tokio::test]
async fn a_duplicate_is_found_behind_an_older_snapshot_on_mysql() {
    let Some(pool) = mysql().await else { return };
    let ledger = Ledger::new(DAY, LOCK_TIMEOUT);
    let mut session = pool.acquire().await.unwrap();
    session
        .execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    // Where it is on, MariaDB refuses instead, and the transaction has to begin again. It is not there before 10.6.18.
    if is_mariadb(&pool).await {
        session
            .execute("SET SESSION innodb_snapshot_isolation = OFF")
            .await
            .unwrap();
    }
    let mut tx = session.begin().await.unwrap();
    let before: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM idempotency_ledger")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(before, 0);
    scope(&pool, async |tx| {
        ledger.claim(tx.as_mut(), "s", "snapshot", None).await.map(drop)
    })
    .await
    .unwrap();
    let claim = ledger.claim(&mut tx, "s", "snapshot", None).await.unwrap();
    assert!(matches!(claim, Claim::Duplicate(_)), "{claim:?}");
}

/// InnoDB shows a row before it has reached the disk. Who is told that it is done acknowledges a message, whose effect a
/// crash could still undo; so something is committed before, which takes the row along to the disk.
#[tokio::test]
async fn a_duplicate_is_told_after_a_commit_of_its_own_on_mysql() {
    let Some(pool) = mysql().await else { return };
    let guard = idempotency::Idempotency::builder(pool.clone())
        .build()
        .await
        .unwrap();
    let flushed = async || -> i64 {
        sqlx::query_scalar("SELECT CAST(SUM(duplicates) AS SIGNED) FROM idempotency_flush")
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    for expected in 0..3 {
        let _ = guard
            .run("s", "flushed", async |_| Ok::<_, sqlx::Error>(()))
            .await
            .unwrap();
        assert_eq!(flushed().await, expected);
    }
}
