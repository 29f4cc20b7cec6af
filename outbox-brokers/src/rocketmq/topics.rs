//! Topics and groups: made where they are not there.

use serde_json::json;

use super::cluster::{Cluster, Route};
use super::code::ask;
use super::connect::Settings;
use super::frame::Command;
use crate::error::BrokerError;

/// Read and write.
const READ_WRITE: i32 = 6;
/// What a topic is like that somebody publishes to and that is not there, where the server makes it then; it has to be named.
pub(super) const DEFAULT_TOPIC: &str = "TBW102";

/// The topic, made on each broker where it is nowhere.
pub(super) async fn ensure(
    cluster: &Cluster,
    settings: &Settings,
    name: &str,
    queues: u32,
) -> Result<Route, BrokerError> {
    if let Some(route) = cluster.route(name).await?
        && !route.queues.is_empty()
    {
        return Ok(route);
    }
    if !settings.create {
        return Err(BrokerError::Missing {
            what: "topic",
            name: name.to_owned(),
            remedy: "make it (`mqadmin updateTopic`), or let it be made (`create=true`)".to_owned(),
        });
    }
    for master in cluster.masters().await? {
        let command = Command::new(ask::CREATE_TOPIC)
            .with("topic", name)
            .with("defaultTopic", DEFAULT_TOPIC)
            .with("readQueueNums", queues)
            .with("writeQueueNums", queues)
            .with("perm", READ_WRITE)
            .with("topicFilterType", "SINGLE_TAG")
            .with("topicSysFlag", 0)
            .with("order", false);
        cluster.demand(&master, "making a topic", command).await?;
    }
    cluster.wait_for(name).await
}

/// The group on each broker that has the topic. One that is there is set to what it has to be.
pub(super) async fn ensure_group(
    cluster: &Cluster,
    settings: &Settings,
    route: &Route,
    name: &str,
    in_order: bool,
) -> Result<(), BrokerError> {
    if !settings.create {
        return Ok(());
    }
    let group = json!({
        "groupName": name,
        "consumeEnable": true,
        "consumeFromMinEnable": true,
        "consumeBroadcastEnable": false,
        "consumeMessageOrderly": in_order,
        "retryQueueNums": 1,
        // Whether its attempts are spent is the consumer's to decide, which then buries it.
        "retryMaxTimes": i32::MAX,
        "brokerId": 0,
        "whichBrokerWhenConsumeSlowly": 1,
        "notifyConsumerIdsChangedEnable": false,
    });
    let mut brokers: Vec<_> = route.queues.iter().map(|queue| &queue.broker).collect();
    brokers.dedup();
    for broker in brokers {
        let command = Command::new(ask::CREATE_GROUP).body(group.to_string());
        cluster.demand(broker, "making a consumer group", command).await?;
    }
    Ok(())
}
