use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::response::IntoResponse as _;
use futures_util::future::join_all;
use http::{Request, StatusCode, header};
use idempotency::http::{HttpIdempotency, HttpSettings};
use tokio::sync::Notify;

use crate::http::databases::{effects, on_each};
use crate::http::support::{Answer, post};

macro_rules! effect {
    ($tx:expr) => {
        sqlx::query("INSERT INTO effect (n) VALUES (1)")
            .execute(&mut **$tx)
            .await
            .unwrap()
    };
}

/// Takes effect, and answers with the number of the execution.
macro_rules! place {
    ($once:expr, $caller:expr, $request:expr, $runs:expr) => {{
        let runs = Arc::clone(&$runs);
        let response = $once
            .run($caller, $request, move |tx, request| {
                Box::pin(async move {
                    let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
                    effect!(tx);
                    let body = String::from_utf8(request.into_body().to_vec()).unwrap();
                    let location = [
                        (header::LOCATION, format!("/orders/{run}")),
                        (header::SET_COOKIE, "session=1".into()),
                    ];
                    Ok::<_, StatusCode>(
                        (StatusCode::CREATED, location, format!("{run}: {body}")).into_response(),
                    )
                })
            })
            .await;
        Answer::of(response).await
    }};
}

fn runs() -> Arc<AtomicU32> {
    Arc::default()
}

on_each! {
    async fn of_a_hundred_at_once_one_is_carried_out(pool) {
        // Two processes, as far as the ledger can tell.
        let services = [0, 1].map(|_| HttpIdempotency::new(pool.clone(), HttpSettings::new()).unwrap());
        let runs = runs();
        let requests = (0..100).map(|n| {
            let (once, runs) = (services[n % 2].clone(), Arc::clone(&runs));
            tokio::spawn(async move { place!(once, "caller", post("\"k\"", "3 apples"), runs) })
        });
        let answers: Vec<Answer> = join_all(requests).await.into_iter().map(Result::unwrap).collect();
        let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == StatusCode::CREATED);
        assert!(refused.iter().all(|answer| answer.code() == "request-in-flight"), "{refused:?}");
        assert_eq!(done.iter().filter(|answer| !answer.is_replayed()).count(), 1);
        assert!(done.iter().all(|answer| answer.body == "1: 3 apples"), "{done:?}");
        assert_eq!((runs.load(Ordering::SeqCst), effects!(pool)), (1, 1));
        let again = place!(services[1], "caller", post("\"k\"", "3 apples"), runs);
        assert!(again.is_replayed() && again.body == "1: 3 apples", "{again:?}");
        assert_eq!(again.headers["location"], "/orders/1");
        assert!(again.headers.get("set-cookie").is_none(), "of one caller and one moment");
    }

    async fn who_may_wait_gets_the_first_ones_answer(pool) {
        let settings = HttpSettings::new().wait(Duration::from_secs(30));
        let services = [0, 1].map(|_| HttpIdempotency::new(pool.clone(), settings.clone()).unwrap());
        let runs = runs();
        let requests = (0..100).map(|n| {
            let (once, runs) = (services[n % 2].clone(), Arc::clone(&runs));
            tokio::spawn(async move { place!(once, "caller", post("k", "x"), runs) })
        });
        let answers: Vec<Answer> = join_all(requests).await.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().all(|answer| answer.body == "1: x"), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer.is_replayed()).count(), 99);
        assert_eq!(effects!(pool), 1);
    }

    async fn another_request_with_the_key_is_refused_and_learns_nothing(pool) {
        let once = HttpIdempotency::new(pool.clone(), HttpSettings::new()).unwrap();
        let runs = runs();
        place!(once, "caller", post("k", "secret"), runs);
        let (parts, _) = post("k", "").into_parts();
        let elsewhere = Request::post("/other").header("idempotency-key", "k").body("secret".into()).unwrap();
        for other in [post("k", "other"), post("k", ""), Request::from_parts(parts, "secre".into()), elsewhere] {
            let refused = place!(once, "caller", other, runs);
            assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "idempotency-key-reused"));
            assert!(!refused.body.contains("secret") && refused.headers.get("location").is_none());
        }
        assert_eq!(effects!(pool), 1);
    }

    async fn another_caller_is_another_key_whatever_is_in_it(pool) {
        let once = HttpIdempotency::new(pool.clone(), HttpSettings::new()).unwrap();
        let runs = runs();
        let callers = ["a", "ab", "A", "", "a ", "a\0", "http:", "\u{e9}", "e\u{301}"];
        let keys = ["b", "ab", "B", "bb"];
        for caller in callers {
            for key in keys {
                let answer = place!(once, caller, post(key, "x"), runs);
                assert!(!answer.is_replayed(), "{caller:?} {key:?}");
            }
        }
        assert_eq!(effects!(pool), (callers.len() * keys.len()) as i64);
    }

    async fn what_fails_is_rolled_back_and_may_be_tried_again(pool) {
        let once = HttpIdempotency::new(pool.clone(), HttpSettings::new()).unwrap();
        for status in [500, 503, 409, 429] {
            let failing = once.run("caller", post("k", "x"), move |tx, _| Box::pin(async move {
                effect!(tx);
                Ok::<_, StatusCode>(StatusCode::from_u16(status).unwrap().into_response())
            }));
            let failed = Answer::of(failing.await).await;
            assert_eq!((failed.status.as_u16(), effects!(pool)), (status, 0));
        }
        let panicking = once.run("caller", post("k", "x"), |tx, request| Box::pin(async move {
            effect!(tx);
            assert!(request.body().is_empty(), "as a handler may panic");
            Ok::<_, StatusCode>(StatusCode::OK.into_response())
        }));
        let broken = Answer::of(panicking.await).await;
        assert_eq!((broken.status.as_u16(), broken.code().as_str()), (500, "internal-error"));
        assert_eq!(effects!(pool), 0);
        let done = place!(once, "caller", post("k", "x"), runs());
        assert!(!done.is_replayed() && done.status == StatusCode::CREATED);
        assert_eq!(effects!(pool), 1);
    }

    async fn a_refusal_of_the_handlers_own_is_kept_without_what_it_wrote(pool) {
        let once = HttpIdempotency::new(pool.clone(), HttpSettings::new()).unwrap();
        let refused = || async {
            let running = once.run("caller", post("k", "x"), |tx, _| Box::pin(async move {
                effect!(tx);
                Err::<axum::response::Response, _>((StatusCode::UNPROCESSABLE_ENTITY, "no such merchant"))
            }));
            Answer::of(running.await).await
        };
        let first = refused().await;
        let again = refused().await;
        assert_eq!((first.status.as_u16(), &*first.body, first.is_replayed()), (422, "no such merchant", false));
        assert_eq!((again.status.as_u16(), &*again.body, again.is_replayed()), (422, "no such merchant", true));
        assert_eq!(effects!(pool), 0);
    }

    async fn the_work_goes_on_when_the_client_is_gone(pool) {
        let once = HttpIdempotency::new(pool.clone(), HttpSettings::new()).unwrap();
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let running = {
            let (once, begun, go_on) = (once.clone(), Arc::clone(&begun), Arc::clone(&go_on));
            tokio::spawn(async move {
                once.run("caller", post("k", "x"), move |tx, _| Box::pin(async move {
                    effect!(tx);
                    begun.notify_one();
                    go_on.notified().await;
                    Ok::<_, StatusCode>("done".into_response())
                })).await
            })
        };
        begun.notified().await;
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        let meanwhile = place!(once, "caller", post("k", "x"), runs());
        assert_eq!(meanwhile.code(), "request-in-flight");
        go_on.notify_one();
        once.drain().await;
        let again = place!(once, "caller", post("k", "x"), runs());
        assert!(again.is_replayed() && again.body == "done", "{again:?}");
        assert_eq!(effects!(pool), 1);
    }

    async fn a_key_is_free_again_when_it_has_expired(pool) {
        let once = HttpIdempotency::new(pool.clone(), HttpSettings::new()).unwrap();
        let runs = runs();
        place!(once, "caller", post("k", "x"), runs);
        sqlx::query("UPDATE idempotency_ledger SET expires_at = claimed_at").execute(&pool).await.unwrap();
        let anew = place!(once, "caller", post("k", "y"), runs);
        assert_eq!((&*anew.body, anew.is_replayed()), ("2: y", false));
        assert!(place!(once, "caller", post("k", "y"), runs).is_replayed());
    }
}

/// What another process does shows itself as a row that nobody has committed.
macro_rules! in_flight_elsewhere {
    ($pool:expr, $blob:literal) => {{
        let once = HttpIdempotency::new($pool.clone(), HttpSettings::new()).unwrap();
        let runs = runs();
        place!(once, "caller", post("other", "x"), runs);
        let scope: String = sqlx::query_scalar("SELECT scope FROM idempotency_ledger")
            .fetch_one(&$pool)
            .await
            .unwrap();
        let mut other = $pool.begin().await.unwrap();
        sqlx::query($blob).bind(scope).execute(&mut *other).await.unwrap();
        let started = Instant::now();
        let refused = place!(once, "caller", post("k", "x"), runs);
        assert_eq!(
            (refused.code().as_str(), effects!($pool)),
            ("request-in-flight", 1)
        );
        assert_eq!(refused.headers["retry-after"], "1");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        other.rollback().await.unwrap();
        assert_eq!(place!(once, "caller", post("k", "x"), runs).body, "2: x");
    }};
}

#[tokio::test]
async fn in_flight_in_another_process_on_postgres() {
    let Some((_database, pool)) = crate::http::databases::postgres().await else {
        return;
    };
    in_flight_elsewhere!(
        pool,
        "INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at) VALUES ($1, 'k', now() + interval '1 day')"
    );
}

#[tokio::test]
async fn in_flight_in_another_process_on_mysql() {
    let Some((_database, pool)) = crate::http::databases::mysql().await else {
        return;
    };
    in_flight_elsewhere!(
        pool,
        "INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at) VALUES (?, 'k', UTC_TIMESTAMP(6) + INTERVAL 1 DAY)"
    );
}
