//! Publishing to a stream. The client's own way (async-nats 0.51) has an inbox, two timers, a permit and a channel for each message,
//! a tenth of what a message costs; here the messages of a batch are answered to one inbox, where the batch waits for them all.

use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, HeaderMap, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("it can't be sent: {0}")]
    Send(#[from] async_nats::PublishError),
    #[error("the answers can't be received: {0}")]
    Subscribe(#[from] async_nats::SubscribeError),
    #[error("no stream takes its subject")]
    NoStream,
    #[error(transparent)]
    Refused(jetstream::Error),
    #[error("the answer can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl NotTaken {
    /// The server's own code, where it gave one.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(error) => Some(error.error_code()),
            _ => None,
        }
    }
}

/// What a stream says of a message, as far as it is of interest.
#[derive(Deserialize)]
struct Answer {
    error: Option<jetstream::Error>,
    /// Its place in the stream.
    seq: Option<u64>,
}

/// Messages under way, and where they are answered.
pub(super) struct Acks {
    client: Client,
    inbox: String,
    arriving: Subscriber,
    missing: usize,
}

impl Acks {
    pub(super) async fn open(client: Client) -> Result<Self, NotTaken> {
        let inbox = client.new_inbox();
        let arriving = client.subscribe(format!("{inbox}.*")).await?;
        Ok(Self {
            client,
            inbox,
            arriving,
            missing: 0,
        })
    }

    /// Sends a message; its answer will have this number.
    pub(super) async fn send(
        &mut self,
        number: usize,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), NotTaken> {
        let reply = format!("{}.{number}", self.inbox);
        self.client
            .publish_with_reply_and_headers(subject, reply, headers, payload)
            .await?;
        self.missing += 1;
        Ok(())
    }

    /// The next answer, to which number; `None` when all have come.
    pub(super) async fn next(&mut self) -> Option<(usize, Result<(), NotTaken>)> {
        while self.missing > 0 {
            let message = self.arriving.next().await?;
            let number = message.subject.rsplit_once('.').map(|(_, number)| number.parse());
            let Some(Ok(number)) = number else { continue };
            self.missing -= 1;
            return Some((number, read(&message)));
        }
        None
    }
}

fn read(message: &async_nats::Message) -> Result<(), NotTaken> {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(NotTaken::NoStream);
    }
    let answer: Answer = serde_json::from_slice(&message.payload)?;
    match (answer.error, answer.seq) {
        (Some(error), _) => Err(NotTaken::Refused(error)),
        (None, Some(_)) => Ok(()),
        // Somebody else answers at this subject.
        (None, None) => Err(NotTaken::NoStream),
    }
}
