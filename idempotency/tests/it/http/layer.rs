use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::post as on_post;
use futures_util::future::join_all;
use http::{Request, StatusCode, header};
use idempotency::http::{HttpSettings, IdempotencyLayer};
use tokio::sync::Notify;
use tower::{Layer as _, ServiceExt as _};

use crate::http::databases::{effects, on_each};
use crate::http::support::{Answer, post};

/// A service whose handler takes effect by itself, and says which execution it was.
macro_rules! service {
    ($pool:expr, $settings:expr, $runs:expr, $then:expr) => {{
        let layer = IdempotencyLayer::new($pool.clone(), $settings, |parts| {
            let caller = parts
                .headers
                .get("x-caller")
                .and_then(|caller| caller.to_str().ok());
            Ok(caller.unwrap_or("caller").to_owned())
        })
        .unwrap();
        let (pool, runs, then) = ($pool.clone(), Arc::clone(&$runs), $then);
        let handler = move |body: String| {
            let (pool, runs, then) = (pool.clone(), Arc::clone(&runs), then.clone());
            async move {
                let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
                sqlx::query("INSERT INTO effect (n) VALUES (1)")
                    .execute(&pool)
                    .await
                    .unwrap();
                then(run).await.unwrap_or_else(|| {
                    let location = [(header::LOCATION, format!("/orders/{run}"))];
                    (StatusCode::CREATED, location, format!("{run}: {body}")).into_response()
                })
            }
        };
        let router = Router::new().route("/orders", on_post(handler));
        (layer.layer(router), layer)
    }};
}

type Then = futures_util::future::BoxFuture<'static, Option<Response>>;

fn nothing_more(_run: u32) -> Then {
    Box::pin(async { None })
}

macro_rules! ask {
    ($service:expr, $request:expr) => {
        Answer::of($service.clone().oneshot($request).await.unwrap()).await
    };
}

fn runs() -> Arc<AtomicU32> {
    Arc::default()
}

on_each! {
    async fn of_a_hundred_at_once_one_is_carried_out(pool) {
        let runs = runs();
        let services = [0, 1].map(|_| service!(pool, HttpSettings::new(), runs, nothing_more).0);
        let requests = (0..100).map(|n| {
            let service = services[n % 2].clone();
            tokio::spawn(async move { ask!(service, post("k", "x")) })
        });
        let answers: Vec<Answer> = join_all(requests).await.into_iter().map(Result::unwrap).collect();
        let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == StatusCode::CREATED);
        assert!(refused.iter().all(|answer| answer.code() == "request-in-flight"), "{refused:?}");
        assert_eq!(done.iter().filter(|answer| !answer.is_replayed()).count(), 1);
        assert_eq!((runs.load(Ordering::SeqCst), effects!(pool)), (1, 1));
        let again = ask!(services[1], post("k", "x"));
        assert!(again.is_replayed() && again.body == "1: x", "{again:?}");
        assert_eq!(again.headers["location"], "/orders/1");
        assert_eq!(ask!(services[0], post("k", "y")).code(), "idempotency-key-reused");
        let mut other = post("k", "x");
        other.headers_mut().insert("x-caller", "other".parse().unwrap());
        assert_eq!(ask!(services[0], other).body, "2: x");
    }

    /// As after a crash between the handler's commit and its answer: the row says in flight, and nobody gives a sign of life.
    async fn after_a_crash_the_outcome_is_unknown_and_nothing_is_done_again(pool) {
        let runs = runs();
        let (service, _) = service!(pool, HttpSettings::new(), runs, nothing_more);
        ask!(service, post("k", "x"));
        for (sql, code) in [
            ("UPDATE idempotency_ledger SET state = 1, answer = NULL, held_until = expires_at", "request-in-flight"),
            ("UPDATE idempotency_ledger SET held_until = claimed_at", "outcome-unknown"),
        ] {
            sqlx::query(sql).execute(&pool).await.unwrap();
            for _ in 0..3 {
                let refused = ask!(service, post("k", "x"));
                assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, code));
            }
        }
        assert_eq!(effects!(pool), 1);
        assert_eq!(ask!(service, post("k", "y")).code(), "idempotency-key-reused");
        sqlx::query("UPDATE idempotency_ledger SET expires_at = claimed_at").execute(&pool).await.unwrap();
        assert_eq!(ask!(service, post("k", "x")).body, "2: x");
    }

    /// Only where the handler is said to be idempotent itself; and who comes back from the dead has no say any more.
    async fn taking_over_is_asked_for_and_fences_the_former_holder(pool) {
        let runs = runs();
        let gates = [0, 1].map(|_| (Arc::new(Notify::new()), Arc::new(Notify::new())));
        let waits = {
            let gates = gates.clone();
            move |run: u32| -> Then {
                let (begun, go_on) = gates[run as usize - 1].clone();
                Box::pin(async move {
                    begun.notify_one();
                    go_on.notified().await;
                    None
                })
            }
        };
        let settings = HttpSettings::new().take_over(true);
        let (frozen, frozen_layer) = service!(pool, settings.clone(), runs, waits.clone());
        let (other, _) = service!(pool, settings.clone(), runs, waits.clone());
        let (third, _) = service!(pool, settings, runs, waits);
        let first = tokio::spawn(async move { ask!(frozen, post("k", "x")) });
        gates[0].0.notified().await;
        sqlx::query("UPDATE idempotency_ledger SET held_until = claimed_at").execute(&pool).await.unwrap();
        let successor = tokio::spawn(async move { ask!(other, post("k", "x")) });
        gates[1].0.notified().await;
        assert_eq!(ask!(third, post("k", "x")).code(), "request-in-flight", "one of them takes over");
        gates[0].1.notify_one();
        assert_eq!(first.await.unwrap().body, "1: x", "its client hears what it did");
        frozen_layer.drain().await;
        assert_eq!(ask!(third, post("k", "x")).code(), "request-in-flight", "but the ledger does not");
        gates[1].1.notify_one();
        assert_eq!(successor.await.unwrap().body, "2: x");
        let again = ask!(third, post("k", "x"));
        assert_eq!((&*again.body, again.is_replayed(), runs.load(Ordering::SeqCst)), ("2: x", true, 2));
    }

    async fn a_failure_is_not_kept(pool) {
        let runs = runs();
        let first_fails = |run: u32| -> Then {
            Box::pin(async move { (run == 1).then(|| StatusCode::SERVICE_UNAVAILABLE.into_response()) })
        };
        let (service, _) = service!(pool, HttpSettings::new(), runs, first_fails);
        assert_eq!(ask!(service, post("k", "x")).status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask!(service, post("k", "x")).body, "2: x");
        assert!(ask!(service, post("k", "x")).is_replayed());
    }

    async fn the_work_goes_on_when_the_client_is_gone(pool) {
        let runs = runs();
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let waits = {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            move |_: u32| -> Then {
                let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
                Box::pin(async move {
                    begun.notify_one();
                    go_on.notified().await;
                    None
                })
            }
        };
        let (service, layer) = service!(pool, HttpSettings::new(), runs, waits);
        let asked = tokio::spawn({
            let service = service.clone();
            async move { ask!(service, post("k", "x")) }
        });
        begun.notified().await;
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        go_on.notify_one();
        layer.drain().await;
        let again = ask!(service, post("k", "x"));
        assert!(again.is_replayed() && again.body == "1: x", "{again:?}");
        assert_eq!(effects!(pool), 1);
    }

    async fn a_large_answer_is_given_once(pool) {
        let runs = runs();
        let large = |_: u32| -> Then { Box::pin(async { Some("0123456789".repeat(1_000).into_response()) }) };
        let (service, _) = service!(pool, HttpSettings::new().answer_bytes(9_999), runs, large);
        assert_eq!(ask!(service, post("k", "x")).body.len(), 10_000);
        let again = ask!(service, post("k", "x"));
        assert_eq!((again.status.as_u16(), again.code().as_str()), (409, "answer-not-kept"));
        assert_eq!(effects!(pool), 1);
    }
}

/// Longer than its lease: others are told that it is being carried out, and not that its outcome is unknown.
#[tokio::test]
async fn a_long_handler_gives_signs_of_life() {
    let Some((_database, pool)) = crate::http::databases::postgres().await else {
        return;
    };
    let runs = runs();
    let begun = Arc::new(Notify::new());
    let slow = {
        let begun = Arc::clone(&begun);
        move |_: u32| -> Then {
            let begun = Arc::clone(&begun);
            Box::pin(async move {
                begun.notify_one();
                tokio::time::sleep(Duration::from_millis(2_500)).await;
                None
            })
        }
    };
    let settings = HttpSettings::new().lease(Duration::from_secs(1));
    let (service, _) = service!(pool, settings.clone(), runs, slow);
    let (other, _) = service!(pool, settings, runs, nothing_more);
    let asked = tokio::spawn(async move { ask!(service, post("k", "x")) });
    begun.notified().await;
    let mut refused = 0;
    let done = loop {
        let answer = ask!(other, post("k", "x"));
        if answer.status == StatusCode::CREATED {
            break answer;
        }
        assert_eq!(answer.code(), "request-in-flight");
        refused += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(refused > 10 && done.is_replayed());
    assert_eq!(asked.await.unwrap().body, "1: x");
    assert_eq!(effects!(pool), 1);
}

#[tokio::test]
async fn only_what_is_asked_for_is_looked_at() {
    let Some((_folder, pool)) = crate::http::databases::sqlite().await else {
        return;
    };
    let layer = IdempotencyLayer::new(pool.clone(), HttpSettings::new(), |parts| {
        let caller = parts.headers.get("x-caller").ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(caller.to_str().map_err(|_| StatusCode::BAD_REQUEST)?.to_owned())
    })
    .unwrap();
    let router = Router::new().route(
        "/orders",
        on_post(async || "done").get(async || "read").layer(layer),
    );
    let get = Request::get("/orders").body(Body::empty()).unwrap();
    assert_eq!(ask!(router, get).body, "read");
    assert_eq!(ask!(router, post("k", "x")).status, StatusCode::UNAUTHORIZED);
    let without_key = Request::post("/orders")
        .header("x-caller", "a")
        .body(Body::empty())
        .unwrap();
    assert_eq!(ask!(router, without_key).code(), "idempotency-key-missing");
}
