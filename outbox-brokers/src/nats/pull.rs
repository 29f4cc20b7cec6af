//! Asking a durable consumer for messages. Over one subscription, and such that what is on its way when nobody wants it any more is
//! given back: the client's own requests would leave it to its lease. Nor can a request be taken back, nor does the client's `drain`
//! wait for what the server had sent before it heard of it (async-nats 0.51). So requests are short, and whoever leaves waits for
//! the end of its own.

use std::time::Duration;

use async_nats::{Client, Message, StatusCode, Subject, Subscriber};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::error::BrokerError;

/// The server says that nothing came; this long after it should have, it is asked again.
const OVERDUE: Duration = Duration::from_secs(5);

/// A subscription that a consumer's messages arrive by.
pub(super) struct Pull {
    client: Client,
    /// Where the consumer is asked.
    next: Subject,
    inbox: String,
    requests: u64,
    /// How long the server waits with an answer to a request.
    expires: Duration,
    asked: Option<Asked>,
    arriving: Subscriber,
}

/// A request under way.
struct Asked {
    /// What the server says about this one is said to this subject.
    reply: Subject,
    missing: u32,
    at: Instant,
}

/// What came.
pub(super) enum Pulled {
    /// A message, and a time before which the server did not send it: what reaches us was perhaps sent long ago.
    Message(Message, Instant),
    /// As many as were asked for, or all there are for now.
    End,
    /// No answer. What comes from now on would be taken for an answer to a later request: another subscription is needed.
    Overdue,
}

impl Pull {
    pub(super) async fn new(
        client: Client,
        stream: &str,
        consumer: &str,
        expires: Duration,
    ) -> Result<Self, BrokerError> {
        let inbox = client.new_inbox();
        let arriving = client
            .subscribe(format!("{inbox}.*"))
            .await
            .map_err(BrokerError::server("receiving"))?;
        Ok(Self {
            next: format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}").into(),
            client,
            inbox,
            requests: 0,
            expires,
            asked: None,
            arriving,
        })
    }

    /// Asks for so many messages, when the last request is over.
    pub(super) async fn ask(&mut self, messages: u32) -> Result<(), BrokerError> {
        self.requests += 1;
        let reply = Subject::from(format!("{}.{}", self.inbox, self.requests));
        let request = format!(r#"{{"batch":{messages},"expires":{}}}"#, self.expires.as_nanos());
        self.asked = Some(Asked {
            reply: reply.clone(),
            missing: messages,
            at: Instant::now(),
        });
        self.client
            .publish_with_reply(self.next.clone(), reply, request.into())
            .await
            .map_err(BrokerError::server("receiving"))
    }

    /// What comes next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Pulled, BrokerError> {
        let pulled = self.pull().await;
        if !matches!(pulled, Ok(Pulled::Message(..))) {
            self.asked = None;
        }
        pulled
    }

    async fn pull(&mut self) -> Result<Pulled, BrokerError> {
        let Some(asked) = &mut self.asked else {
            return Ok(Pulled::End);
        };
        while asked.missing > 0 {
            let until = asked.at + self.expires + OVERDUE;
            let Ok(arrived) = tokio::time::timeout_at(until, self.arriving.next()).await else {
                return Ok(Pulled::Overdue);
            };
            let message = arrived.ok_or_else(|| failed("the connection was closed".to_owned()))?;
            let about = message.subject == asked.reply;
            match message.status {
                None | Some(StatusCode::OK) => {
                    asked.missing -= 1;
                    return Ok(Pulled::Message(message, asked.at));
                }
                // About an earlier request.
                Some(_) if !about => {}
                Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => return Ok(Pulled::End),
                Some(StatusCode::IDLE_HEARTBEAT) => {}
                Some(status) => {
                    let said = message.description.as_deref().unwrap_or_default();
                    return Err(failed(format!("{status} {said}")));
                }
            }
        }
        Ok(Pulled::End)
    }
}

fn failed(message: String) -> BrokerError {
    BrokerError::Server {
        doing: "receiving",
        message,
        source: None,
    }
}
