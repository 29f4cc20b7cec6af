use outbox_core::{Headers, Message, TraceContext};
use outbox_sqlx::Outbox;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-01";

/// The span that is current while the source is asked is the one that creates the message.
#[tokio::test]
async fn the_creating_spans_context_is_stored_unless_the_message_has_one() {
    // For all threads: a span that another test meets first, on a thread without a subscriber, stays off for
    // ever where there is only a thread's own.
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    let pool = crate::databases::sqlite().await;
    let outbox = Outbox::builder()
        .trace_context(|| {
            let span = tracing::Span::current();
            assert_eq!(span.metadata().map(|metadata| metadata.name()), Some("create"));
            TraceContext::new(PARENT, Some("a=b".into()))
        })
        .build();
    outbox
        .transaction(&pool, async |tx| {
            outbox.publish(tx, Message::builder("t")).await?;
            let forwarded = Message::builder("t").trace_context(&TraceContext::new(OTHER, None).unwrap());
            outbox
                .publish_all(tx, [forwarded, Message::builder("t").header("x", "y")])
                .await
        })
        .await
        .unwrap();
    let headers: Vec<String> = sqlx::query_scalar("SELECT headers FROM outbox ORDER BY id")
        .fetch_all(&pool)
        .await
        .unwrap();
    let headers: Vec<Headers> = headers
        .iter()
        .map(|json| Headers::from_json(json).unwrap())
        .collect();
    assert_eq!(headers[0].get("traceparent"), Some(PARENT));
    assert_eq!(headers[0].get("tracestate"), Some("a=b"));
    assert_eq!(
        (headers[1].get("traceparent"), headers[1].get("tracestate")),
        (Some(OTHER), None)
    );
    assert_eq!(
        (headers[2].get("traceparent"), headers[2].get("x")),
        (Some(PARENT), Some("y"))
    );
}
