//! Rows that have expired.

use idempotency::{EXPIRE_BATCH, Idempotency, Outcome};
use sqlx::Executor;

use crate::databases::{effect, effects, expire_all, on_each, rows};

const RACERS: usize = 16;

on_each! {
    async fn an_expired_row_is_taken_over_once(pool) {
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let run = async || {
            guard.run("s", "expired", async |tx| tx.execute(effect("expired")).await.map(drop)).await
        };
        assert_eq!(run().await.unwrap(), Outcome::First(()));
        assert!(matches!(run().await, Ok(Outcome::Duplicate(_))));
        for round in 2..4 {
            expire_all!(pool);
            let racers: Vec<_> = (0..RACERS)
                .map(|_| {
                    let guard = guard.clone();
                    tokio::spawn(async move {
                        guard.run("s", "expired", async |tx| tx.execute(effect("expired")).await.map(drop)).await
                    })
                })
                .collect();
            let mut firsts = 0;
            for racer in racers {
                if let Outcome::First(()) = racer.await.unwrap().unwrap() {
                    firsts += 1;
                }
            }
            assert_eq!((firsts, effects!(pool, "expired"), rows!(pool, "expired")), (1, round, 1));
        }
    }
}

on_each! {
    async fn only_expired_rows_are_removed_and_by_several_at_once(pool) {
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let rows = EXPIRE_BATCH + 200;
        let values: Vec<String> = (0..rows).map(|row| format!("('s', 'old-{row}', '2020-01-01')")).collect();
        let insert = format!(
            "INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at) VALUES {}",
            values.join(", ")
        );
        // SQLite's times are numbers.
        let insert = match std::any::type_name_of_val(pool) {
            name if name.contains("Sqlite") => insert.replace("'2020-01-01'", "0"),
            _ => insert,
        };
        pool.execute(sqlx::AssertSqlSafe(insert)).await.unwrap();
        let _ = guard.run("s", "new", async |_| Ok::<_, sqlx::Error>(())).await.unwrap();
        // One batch is all that one call may do here.
        assert_eq!(guard.expire(1).await.unwrap(), u64::from(EXPIRE_BATCH));
        let (one, other) = tokio::join!(guard.expire(5), guard.expire(5));
        assert_eq!(one.unwrap() + other.unwrap(), 200);
        assert_eq!(guard.expire(5).await.unwrap(), 0);
        assert_eq!(rows!(pool, "new"), 1);
    }
}
