//! Dead letters: a stream of their own, a subject per group and topic.

use std::sync::Arc;
use std::time::SystemTime;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use async_trait::async_trait;
use outbox_core::{Message, ReceiveError};

use super::connect::Settings;
use super::delivery::Outcome;
use super::{headers, names};
use crate::dead_letters::{DeadLetter, DeadLetters, kept_text};
use crate::error::BrokerError;
use crate::mapping::Place;
use crate::names::check_group;

const SUBJECT: &str = "Outbox-Subject";
const ATTEMPTS: &str = "Outbox-Attempts";
const ERROR: &str = "Outbox-Error";

/// The dead letters of one group.
#[derive(Clone)]
pub(super) struct NatsDeadLetters {
    context: Context,
    settings: Arc<Settings>,
    group: Arc<str>,
}

impl NatsDeadLetters {
    pub(super) fn of(context: Context, settings: Arc<Settings>, group: &str) -> Result<Self, BrokerError> {
        check_group(group)?;
        Ok(Self {
            context,
            settings,
            group: group.into(),
        })
    }

    async fn stream(&self) -> Result<Stream<()>, BrokerError> {
        self.context
            .get_stream_no_info(&self.settings.dead_stream)
            .await
            .map_err(BrokerError::server("looking for dead letters"))
    }

    /// One of this group.
    async fn find(&self, stream: &Stream<()>, sequence: u64) -> Result<Option<StreamMessage>, BrokerError> {
        let subjects = names::dead_subjects(&self.settings.dead_prefix, &self.group);
        let of_group = subjects.trim_end_matches('>');
        match stream.get_raw_message(sequence).await {
            Ok(stored) => Ok(Some(stored).filter(|stored| stored.subject.starts_with(of_group))),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(BrokerError::server("looking for a dead letter")(error)),
        }
    }

    fn letter(&self, stored: &StreamMessage) -> DeadLetter {
        let of_group = names::dead_subjects(&self.settings.dead_prefix, &self.group);
        let topic = stored.subject.strip_prefix(of_group.trim_end_matches('>'));
        let died_at = SystemTime::from(stored.time);
        let place = Place {
            unique: &format_args!("{}/{}", self.settings.dead_stream, stored.sequence),
            published: died_at,
        };
        let topic = topic.unwrap_or_default().into();
        let fields = headers::fields(Some(&stored.headers));
        let mapping = &self.settings.mapping;
        DeadLetter {
            reference: stored.sequence.to_string(),
            message: mapping.message(topic, stored.payload.clone(), fields, &place),
            attempts: headers::text(&stored.headers, ATTEMPTS)
                .and_then(|attempts| attempts.parse().ok())
                .unwrap_or(0),
            error: headers::text(&stored.headers, ERROR)
                .unwrap_or_default()
                .to_owned(),
            died_at,
        }
    }

    async fn publish(
        &self,
        subject: String,
        message: &Message,
        headers: HeaderMap,
    ) -> Result<(), BrokerError> {
        let publish = PublishMessage::build()
            .payload(message.payload().clone())
            .headers(headers);
        let ack = self.context.send_publish(subject, publish).await;
        let ack = ack.map_err(BrokerError::server("redriving"))?;
        ack.await.map(drop).map_err(BrokerError::server("redriving"))
    }
}

#[async_trait]
impl DeadLetters for NatsDeadLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        let stream = self.stream().await?;
        let subjects = names::dead_subjects(&self.settings.dead_prefix, &self.group);
        let after = after.map(sequence).transpose()?.unwrap_or(0);
        let (mut letters, mut from) = (Vec::new(), after.saturating_add(1));
        while letters.len() < limit {
            let found = stream
                .raw_message_builder()
                .sequence(from)
                .next_by_subject(subjects.clone())
                .send()
                .await;
            let stored = match found {
                Ok(stored) => stored,
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => break,
                Err(error) => return Err(BrokerError::server("listing dead letters")(error)),
            };
            from = stored.sequence.saturating_add(1);
            letters.push(self.letter(&stored));
        }
        Ok(letters)
    }

    async fn redrive(&self, reference: &str) -> Result<bool, BrokerError> {
        let sequence = sequence(reference)?;
        let stream = self.stream().await?;
        let Some(stored) = self.find(&stream, sequence).await? else {
            return Ok(false);
        };
        let letter = self.letter(&stored);
        let Some(subject) = headers::text(&stored.headers, SUBJECT).map(str::to_owned) else {
            return Ok(false);
        };
        // Its own id would be dropped as one that the stream has had; done again, this one is.
        let unique = format!("{}/{}/{sequence}", letter.message.id(), self.group);
        let mut headers = headers::of(&letter.message, &self.settings.mapping, &unique)
            .map_err(BrokerError::server("redriving"))?;
        headers::insert(&mut headers, headers::FOR_GROUP, &self.group)
            .map_err(BrokerError::server("redriving"))?;
        self.publish(subject, &letter.message, headers).await?;
        self.discard(reference).await
    }

    async fn discard(&self, reference: &str) -> Result<bool, BrokerError> {
        let sequence = sequence(reference)?;
        let stream = self.stream().await?;
        if self.find(&stream, sequence).await?.is_none() {
            return Ok(false);
        }
        stream
            .delete_message(sequence)
            .await
            .map_err(BrokerError::server("removing a dead letter"))
    }
}

/// A place in the stream of the dead.
fn sequence(reference: &str) -> Result<u64, BrokerError> {
    reference.parse().map_err(|_| {
        let reason = "dead letters of NATS have a number";
        BrokerError::setting("the reference", format!("{reference:?}"), reason)
    })
}

impl std::fmt::Debug for NatsDeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsDeadLetters")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// Copies a message to the dead letters.
pub(super) async fn bury(outcome: &Outcome, error: &str) -> Result<(), ReceiveError> {
    let message = &outcome.message;
    let failed =
        |error: String, source: Option<Arc<dyn std::error::Error + Send + Sync>>| ReceiveError::Unavailable {
            message: format!("the dead letters did not take it: {error}").into(),
            source,
        };
    let unique = format!("{}/{}/{}", message.id(), outcome.group, outcome.offset);
    let put = || {
        let mut headers = headers::of(message, &outcome.settings.mapping, &unique)?;
        headers::insert(&mut headers, SUBJECT, &outcome.subject)?;
        headers::insert(&mut headers, ATTEMPTS, &outcome.attempt.to_string())?;
        headers::insert(&mut headers, ERROR, &kept_text(error))?;
        Ok::<_, outbox_core::PublishError>(headers)
    };
    let headers = put().map_err(|error| failed(error.to_string(), None))?;
    let subject = names::dead_subject(&outcome.settings.dead_prefix, &outcome.group, message.topic());
    let publish = PublishMessage::build()
        .payload(message.payload().clone())
        .headers(headers);
    let sent = match outcome.context.send_publish(subject, publish).await {
        Ok(ack) => ack.await.map(drop),
        Err(error) => Err(error),
    };
    sent.map_err(|error| failed(error.to_string(), Some(Arc::new(error))))
}
