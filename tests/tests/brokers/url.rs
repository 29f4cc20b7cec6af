//! What a URL chooses, and what is wrong with one.

use outbox_brokers::{BrokerError, connect};

#[tokio::test]
async fn what_is_wrong_with_a_url_is_named() {
    for (url, said) in [
        ("localhost", "scheme"),
        ("ibmmq://localhost", "`ibmmq://` is none of kafka://, nats://"),
        ("nats://localhost/path", "path"),
        (
            "nats://localhost?queue=3",
            r#"no setting "queue"; there are prefix, queues"#,
        ),
        ("nats://localhost?queues=many", r#"queues="many" is not a number"#),
        ("nats://localhost?queues=-1", "queues"),
        (
            "nats://localhost?timeout=5",
            r#"timeout="5" is not a time, as in `5s`"#,
        ),
        ("nats://localhost?timeout=-5s", "timeout"),
        ("nats://localhost?create=perhaps", "`true` or `false`"),
        ("nats://localhost?queues=0", "queues_per_topic can't be 0"),
        ("nats://localhost?cert=%2Fa", "go together"),
        ("redis://one,two", "one server holds all queues"),
        ("redis://localhost/zero", "number of the database"),
        (
            "redis://localhost?stream=A",
            r#"no setting "stream"; there are prefix"#,
        ),
        ("redis://localhost?lease=1ms", "at least 100 ms"),
        ("redis://localhost?ca=%2Fa", "certificates are for `rediss://`"),
    ] {
        let error = connect(url).await.unwrap_err();
        assert!(
            matches!(error, BrokerError::Url { .. } | BrokerError::Setting { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(said), "{url}: {error}");
    }
}
