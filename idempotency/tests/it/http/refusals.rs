//! What is refused before anything is asked of the database.

use axum::response::IntoResponse as _;
use http::{Request, StatusCode};
use idempotency::http::{HttpIdempotency, HttpSettings};

use crate::http::databases::sqlite;
use crate::http::support::{Answer, post};

#[tokio::test]
async fn bad_requests_are_refused_by_name_and_nothing_is_done() {
    let Some((_folder, pool)) = sqlite().await else {
        return;
    };
    let once = HttpIdempotency::new(pool.clone(), HttpSettings::new().body_bytes(4)).unwrap();
    let without = || Request::post("/orders").body("x".into()).unwrap();
    let twice = Request::post("/orders")
        .header("idempotency-key", "a")
        .header("idempotency-key", "b")
        .body("x".into())
        .unwrap();
    for (request, status, code) in [
        (without(), 400, "idempotency-key-missing"),
        (twice, 400, "idempotency-key-invalid"),
        (post("a b", "x"), 400, "idempotency-key-invalid"),
        (post("\"\"", "x"), 400, "idempotency-key-invalid"),
        (post("k", "12345"), 413, "body-too-large"),
    ] {
        let refused = once.run("caller", request, |_, _| {
            Box::pin(async { Ok::<_, StatusCode>(StatusCode::OK.into_response()) })
        });
        let refused = Answer::of(refused.await).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (status, code));
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_ledger")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn without_a_key_where_none_is_required_it_is_done_each_time() {
    let Some((_folder, pool)) = sqlite().await else {
        return;
    };
    let once = HttpIdempotency::new(pool.clone(), HttpSettings::new().required(false)).unwrap();
    for _ in 0..2 {
        let request = Request::post("/orders").body("x".into()).unwrap();
        let done = once.run("caller", request, |tx, _| {
            Box::pin(async move {
                sqlx::query("INSERT INTO effect (n) VALUES (1)")
                    .execute(&mut **tx)
                    .await
                    .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
                Ok::<_, StatusCode>(StatusCode::CREATED.into_response())
            })
        });
        let done = Answer::of(done.await).await;
        assert_eq!((done.status, done.is_replayed()), (StatusCode::CREATED, false));
    }
    assert_eq!(crate::http::databases::effects!(pool), 2);
}

#[tokio::test]
async fn an_answer_that_could_not_be_given_again_is_not_given_and_nothing_is_done() {
    let Some((_folder, pool)) = sqlite().await else {
        return;
    };
    let once = HttpIdempotency::new(pool.clone(), HttpSettings::new().answer_bytes(10)).unwrap();
    let large = once.run("caller", post("k", "x"), |tx, _| {
        Box::pin(async move {
            sqlx::query("INSERT INTO effect (n) VALUES (1)")
                .execute(&mut **tx)
                .await
                .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
            Ok::<_, StatusCode>("eleven bytes".into_response())
        })
    });
    let large = Answer::of(large.await).await;
    assert_eq!(
        (large.status.as_u16(), large.code().as_str()),
        (500, "answer-too-large")
    );
    assert_eq!(crate::http::databases::effects!(pool), 0);
}
