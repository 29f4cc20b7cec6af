//! The demo on each message broker, by changing one URL: every module a process of its own, the relay among them, killed at random
//! moments. What is delivered twice on the way takes effect once.

use outbox_test_harness::{
    KafkaOptions, NatsOptions, RabbitMqOptions, RedisOptions, RocketMqOptions, requirement,
};

use crate::demo::play;
use crate::support::Place;

/// A process that is killed has messages, for so long where the broker goes by time.
const LEASE: &str = "lease=6s";

fn nothing_is_lost_on(name: &str, url: &str) {
    let line = play(&Place::sqlite(), &["--faults", "--queue", url]);
    assert_eq!(line["queue"], name, "{line}");
    assert!(line["kills"].as_i64() >= Some(5), "{line}");
}

#[test]
fn kafka() {
    let Some(server) = requirement::private_kafka(&KafkaOptions::new()) else {
        return;
    };
    nothing_is_lost_on("kafka", &format!("{}?session=6s", server.url()));
}

#[test]
fn nats() {
    let Some(server) = requirement::private_nats(&NatsOptions::new()) else {
        return;
    };
    nothing_is_lost_on("nats", &format!("{}?{LEASE}", server.url()));
}

#[test]
fn redis_streams() {
    let on_disk = RedisOptions::new()
        .setting("appendonly", "yes")
        .setting("appendfsync", "always");
    let Some(server) = requirement::private_redis(&on_disk) else {
        return;
    };
    nothing_is_lost_on("redis", &format!("{}?{LEASE}", server.url()));
}

#[test]
fn rabbitmq() {
    let Some(server) = requirement::private_rabbitmq(&RabbitMqOptions::new()) else {
        return;
    };
    nothing_is_lost_on("amqp", &server.url());
}

#[test]
fn rocketmq() {
    let Some(server) = requirement::private_rocketmq(&RocketMqOptions::new()) else {
        return;
    };
    nothing_is_lost_on("rocketmq", &format!("{}?{LEASE}", server.url()));
}
