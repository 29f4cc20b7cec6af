use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::group::Start;
use outbox_core::{Limits, Message, MessageId};
use sqlx::Pool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::database::{Notifications, QueueDatabase};
use super::dead::{self, GroupDeadFilter, GroupDeadLetter};
use super::error::QueueError;
use super::groups::{self, GroupInfo};
use super::member::{Member, Setup, Shared};
use super::members::Identity;
use super::places;
use super::publisher::{Appender, TopicCache};
use super::retention::{self, QueuePurged};
use super::subscriber::SqlSubscriber;
use super::topics::{self, Topic, TopicInfo};

/// The queue in one database, whichever it is: what [`SqlQueue`](super::SqlQueue) asks of it.
#[async_trait]
pub(super) trait QueueBackend: Appender {
    async fn declare(&self, topic: &Arc<str>, queues: u32) -> Result<(), QueueError>;
    async fn grow(&self, topic: &Arc<str>, queues: u32) -> Result<(), QueueError>;
    async fn set_retention(&self, topic: &str, keep: Option<Duration>) -> Result<(), QueueError>;
    async fn topics(&self) -> Result<Vec<TopicInfo>, QueueError>;
    async fn subscribe(
        &self,
        group: Arc<str>,
        topics: Vec<Arc<str>>,
        start: Start,
    ) -> Result<SqlSubscriber, QueueError>;
    async fn groups(&self, name: Option<&str>) -> Result<Vec<GroupInfo>, QueueError>;
    async fn pause(&self, group: &str, paused: bool) -> Result<(), QueueError>;
    async fn seek(&self, group: &str, topic: &Arc<str>, start: Start) -> Result<(), QueueError>;
    async fn unsubscribe(&self, group: &str, topic: &Arc<str>) -> Result<bool, QueueError>;
    async fn remove_group(&self, group: &str) -> Result<bool, QueueError>;
    async fn dead_letters(
        &self,
        group: &str,
        filter: &GroupDeadFilter,
        limit: u32,
    ) -> Result<Vec<GroupDeadLetter>, QueueError>;
    async fn dead_message(
        &self,
        group: &str,
        letter: &GroupDeadLetter,
    ) -> Result<Option<Message>, QueueError>;
    async fn redrive(&self, group: &str, message: MessageId, by: &str) -> Result<u64, QueueError>;
    async fn redrive_all(
        &self,
        group: &str,
        filter: &GroupDeadFilter,
        by: &str,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, QueueError>;
    async fn discard(
        &self,
        group: &str,
        message: MessageId,
        reason: &str,
        by: &str,
    ) -> Result<u64, QueueError>;
    async fn purge(
        &self,
        keep: Duration,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<QueuePurged, QueueError>;
}

/// What all handles of a queue in this process share.
pub(super) struct Backend<DB: QueueDatabase> {
    pub(super) pool: Pool<DB>,
    pub(super) config: Config,
    pub(super) topics: TopicCache,
    /// Counts what was appended, or heard of: members of this process look when it changes.
    appended: watch::Sender<u64>,
    notifications: Option<Notifications>,
}

impl<DB: QueueDatabase> Backend<DB> {
    pub(super) fn new(pool: Pool<DB>, config: Config) -> Self {
        let appended = watch::Sender::new(0);
        let notifications = config.notifications.then(|| {
            let heard = appended.clone();
            DB::notifications(&pool, Arc::new(move || heard.send_modify(|count| *count += 1)))
        });
        Self {
            pool,
            config,
            topics: TopicCache::default(),
            appended,
            notifications: notifications.flatten(),
        }
    }

    /// Makes members look: those of this process at once, others when they are notified or poll.
    pub(super) fn announce(&self) {
        self.appended.send_modify(|count| *count += 1);
        if let Some(notifications) = &self.notifications {
            notifications.tell();
        }
    }

    async fn known(&self, topic: &Arc<str>) -> Result<Topic, QueueError> {
        let find = async {
            let mut connection = self.pool.acquire().await?;
            topics::find::<DB>(&mut connection, topic).await
        };
        find.await
            .map_err(QueueError::database("looking for a topic"))?
            .ok_or_else(|| QueueError::UnknownTopic {
                topic: topic.to_string(),
            })
    }
}

#[async_trait]
impl<DB: QueueDatabase> QueueBackend for Backend<DB> {
    async fn declare(&self, topic: &Arc<str>, queues: u32) -> Result<(), QueueError> {
        Limits::check_topic(topic).map_err(QueueError::TopicName)?;
        topics::check_queues(topic, queues)?;
        let declared = topics::ensure(&self.pool, topic, queues).await?;
        if declared.len() != queues {
            return Err(QueueError::TopicExists {
                topic: topic.to_string(),
                queues: declared.len(),
                asked: queues,
            });
        }
        Ok(())
    }

    async fn grow(&self, topic: &Arc<str>, queues: u32) -> Result<(), QueueError> {
        topics::check_queues(topic, queues)?;
        topics::grow(&self.pool, topic, queues).await?;
        self.topics.forget();
        self.announce();
        Ok(())
    }

    async fn set_retention(&self, topic: &str, keep: Option<Duration>) -> Result<(), QueueError> {
        match topics::set_retention(&self.pool, topic, keep.map(crate::relay::micros)).await? {
            true => Ok(()),
            false => Err(QueueError::UnknownTopic {
                topic: topic.to_owned(),
            }),
        }
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, QueueError> {
        topics::list(&self.pool).await
    }

    async fn subscribe(
        &self,
        group: Arc<str>,
        names: Vec<Arc<str>>,
        start: Start,
    ) -> Result<SqlSubscriber, QueueError> {
        groups::check_name(&group)?;
        if names.is_empty() {
            return Err(QueueError::NoTopics {
                group: group.to_string(),
            });
        }
        for name in &names {
            Limits::check_topic(name).map_err(QueueError::TopicName)?;
        }
        let id = groups::ensure(&self.pool, &group).await?;
        let mut topic_ids = Vec::with_capacity(names.len());
        for name in &names {
            let topic = self.topic(name).await?;
            places::register(&self.pool, id, &topic, start).await?;
            topic_ids.push(topic.id);
        }
        let shared = Arc::new(Shared::new(&self.config));
        let stop = CancellationToken::new();
        let member = Member::new(Setup {
            pool: self.pool.clone(),
            identity: Identity {
                group: id,
                group_name: Arc::clone(&group),
                member: uuid::Uuid::now_v7().to_string(),
                topics: topic_ids,
                lease: self.config.lease,
            },
            topics: names,
            config: self.config.clone(),
            shared: Arc::clone(&shared),
            appended: self.appended.subscribe(),
            stop: stop.clone(),
        });
        let task = tokio::spawn(member.run());
        Ok(SqlSubscriber::new(
            shared,
            group,
            self.config.assured_lease(),
            stop,
            task,
        ))
    }

    async fn groups(&self, name: Option<&str>) -> Result<Vec<GroupInfo>, QueueError> {
        groups::list(&self.pool, name).await
    }

    async fn pause(&self, group: &str, paused: bool) -> Result<(), QueueError> {
        groups::pause(&self.pool, group, paused).await?;
        self.announce();
        Ok(())
    }

    async fn seek(&self, group: &str, topic: &Arc<str>, start: Start) -> Result<(), QueueError> {
        let topic = self.known(topic).await?;
        places::seek(&self.pool, group, &topic, start).await?;
        self.announce();
        Ok(())
    }

    async fn unsubscribe(&self, group: &str, topic: &Arc<str>) -> Result<bool, QueueError> {
        let topic = self.known(topic).await?;
        let had = groups::forget_topic(&self.pool, group, topic.id).await?;
        self.announce();
        Ok(had)
    }

    async fn remove_group(&self, group: &str) -> Result<bool, QueueError> {
        let removed = groups::remove(&self.pool, group).await?;
        self.announce();
        Ok(removed)
    }

    async fn dead_letters(
        &self,
        group: &str,
        filter: &GroupDeadFilter,
        limit: u32,
    ) -> Result<Vec<GroupDeadLetter>, QueueError> {
        dead::list(&self.pool, group, filter, limit).await
    }

    async fn dead_message(
        &self,
        group: &str,
        letter: &GroupDeadLetter,
    ) -> Result<Option<Message>, QueueError> {
        dead::message(&self.pool, group, letter).await
    }

    async fn redrive(&self, group: &str, message: MessageId, by: &str) -> Result<u64, QueueError> {
        let redriven = dead::redrive_one(&self.pool, group, message, by).await?;
        self.announce();
        Ok(redriven)
    }

    async fn redrive_all(
        &self,
        group: &str,
        filter: &GroupDeadFilter,
        by: &str,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, QueueError> {
        let redriven = dead::redrive_all(&self.pool, group, filter, by, progress).await?;
        self.announce();
        Ok(redriven)
    }

    async fn discard(
        &self,
        group: &str,
        message: MessageId,
        reason: &str,
        by: &str,
    ) -> Result<u64, QueueError> {
        dead::discard_one(&self.pool, group, message, reason, by).await
    }

    async fn purge(
        &self,
        keep: Duration,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<QueuePurged, QueueError> {
        retention::purge(&self.pool, keep, progress).await
    }
}
