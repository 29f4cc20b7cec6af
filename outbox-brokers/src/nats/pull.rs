//! Asking a durable consumer for messages. Over one subscription, and such that what is on its way when nobody wants it any more is
//! given back: the client's own requests would leave it to its lease. Nor can a request be taken back, nor does the client's `drain`
//! wait for what the server had sent before it heard of it (async-nats 0.51). So requests are short, and whoever leaves waits for
//! the end of its own.

use std::time::Duration;

use async_nats::{Client, Message, StatusCode, Subject, Subscriber};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::error::BrokerError;

/// How long the server waits with an answer to a request.
const EXPIRES: Duration = Duration::from_secs(1);
/// The server says that nothing came; this long after it should have, it is asked again.
const OVERDUE: Duration = Duration::from_secs(5);

/// A subscription that a consumer's messages arrive by.
pub(super) struct Pull {
    client: Client,
    /// Where the consumer is asked.
    next: Subject,
    inbox: String,
    requests: u64,
    asked: Option<Asked>,
    arriving: Subscriber,
}

/// A request under way.
struct Asked {
    /// What the server says about this one is said to this subject.
    reply: Subject,
    missing: u32,
    until: Instant,
}

/// What came.
pub(super) enum Pulled {
    Message(Message),
    /// As many as were asked for, or all there are for now.
    End,
}

impl Pull {
    pub(super) async fn new(client: Client, stream: &str, consumer: &str) -> Result<Self, BrokerError> {
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
            asked: None,
            arriving,
        })
    }

    /// Asks for so many messages. A request under way is forgotten: the connection that it was made over is.
    pub(super) async fn ask(&mut self, messages: u32) -> Result<(), BrokerError> {
        self.requests += 1;
        let reply = Subject::from(format!("{}.{}", self.inbox, self.requests));
        let request = format!(r#"{{"batch":{messages},"expires":{}}}"#, EXPIRES.as_nanos());
        self.asked = Some(Asked {
            reply: reply.clone(),
            missing: messages,
            until: Instant::now() + EXPIRES + OVERDUE,
        });
        self.client
            .publish_with_reply(self.next.clone(), reply, request.into())
            .await
            .map_err(BrokerError::server("receiving"))
    }

    /// What comes next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Pulled, BrokerError> {
        let pulled = self.pull().await;
        if !matches!(pulled, Ok(Pulled::Message(_))) {
            self.asked = None;
        }
        pulled
    }

    async fn pull(&mut self) -> Result<Pulled, BrokerError> {
        let Some(asked) = &mut self.asked else {
            return Ok(Pulled::End);
        };
        while asked.missing > 0 {
            let Ok(arrived) = tokio::time::timeout_at(asked.until, self.arriving.next()).await else {
                return Ok(Pulled::End);
            };
            let message = arrived.ok_or_else(|| failed("the connection was closed".to_owned()))?;
            let about = message.subject == asked.reply;
            match message.status {
                None | Some(StatusCode::OK) => {
                    asked.missing -= 1;
                    return Ok(Pulled::Message(message));
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
