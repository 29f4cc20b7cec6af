use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow, bail, ensure};
use async_trait::async_trait;
use outbox_core::Message;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Client, QUEUES};

/// The topic of this side alone.
const TOPIC: &str = "bench_floor";
const CREATE_TOPIC: i32 = 17;
const ROUTE: i32 = 105;
const SEND_BATCH: i32 = 320;

/// RocketMQ's own protocol and nothing around it: its clients are in Java, C++ and Go, or drive a runtime of their own. The messages of
/// each queue in one request, all requests of a batch at once, as a client that sends in batches does.
pub(crate) struct RocketMq {
    broker: String,
    connections: Mutex<Vec<TcpStream>>,
}

impl RocketMq {
    pub(crate) async fn connect(name_server: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(name_server).await?;
        let fields = json!({ "topic": "SELF_TEST_TOPIC", "acceptStandardJsonOnly": "true" });
        say(&mut stream, 1, ROUTE, &fields, &[]).await?;
        let (_, route) = hear(&mut stream).await?;
        let route: Value = serde_json::from_slice(&route)?;
        let broker = route["brokerDatas"][0]["brokerAddrs"]["0"]
            .as_str()
            .context("the name server knows no broker")?;
        let mut stream = TcpStream::connect(broker).await?;
        let fields = json!({
            "topic": TOPIC, "defaultTopic": "TBW102", "readQueueNums": QUEUES.to_string(),
            "writeQueueNums": QUEUES.to_string(), "perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0",
            "order": "false",
        });
        say(&mut stream, 1, CREATE_TOPIC, &fields, &[]).await?;
        hear(&mut stream).await?;
        Ok(Self {
            broker: broker.to_owned(),
            connections: Mutex::new(vec![stream]),
        })
    }

    fn connections(&self) -> Result<std::sync::MutexGuard<'_, Vec<TcpStream>>> {
        self.connections.lock().map_err(|_| anyhow!("a task panicked"))
    }
}

#[async_trait]
impl Client for RocketMq {
    async fn publish(&self, messages: &[Message]) -> Result<()> {
        let free = self.connections()?.pop();
        let mut stream = match free {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.broker).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let mut batches: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for message in messages {
            put(batches.entry(super::queue(message)).or_default(), message)?;
        }
        let born = super::headers(&messages[0])[2].1.clone();
        for (queue, batch) in &batches {
            let fields = json!({
                "a": "floor", "b": TOPIC, "c": "TBW102", "d": QUEUES.to_string(), "e": queue.to_string(), "f": "0",
                "g": &born[..13.min(born.len())], "h": "0", "i": "", "j": "0", "k": "false", "m": "true",
            });
            say(&mut stream, i32::try_from(*queue)?, SEND_BATCH, &fields, batch).await?;
        }
        for _ in &batches {
            let (header, _) = hear(&mut stream).await?;
            ensure!(header["code"] == 0, "the broker said {header}");
        }
        self.connections()?.push(stream);
        Ok(())
    }
}

/// A message of a batch: its length, twelve bytes of nothing, its content, its properties.
fn put(batch: &mut Vec<u8>, message: &Message) -> Result<()> {
    let id = message.id().to_string();
    let mut properties = format!("UNIQ_KEY\u{1}{id}\u{2}WAIT\u{1}true\u{2}");
    for (name, value) in super::headers(message) {
        properties.extend([name, "\u{1}", &value, "\u{2}"]);
    }
    let content = message.payload();
    let length = u32::try_from(22 + content.len() + properties.len())?;
    batch.extend(length.to_be_bytes());
    batch.extend([0; 12]);
    batch.extend(u32::try_from(content.len())?.to_be_bytes());
    batch.extend(&content[..]);
    batch.extend(u16::try_from(properties.len())?.to_be_bytes());
    batch.extend(properties.as_bytes());
    Ok(())
}

async fn say(stream: &mut TcpStream, number: i32, code: i32, fields: &Value, body: &[u8]) -> Result<()> {
    let header = json!({
        "code": code, "language": "OTHER", "version": 441, "opaque": number, "flag": 0, "extFields": fields,
    });
    let header = header.to_string();
    let mut bytes = Vec::with_capacity(8 + header.len() + body.len());
    bytes.extend(u32::try_from(4 + header.len() + body.len())?.to_be_bytes());
    bytes.extend(u32::try_from(header.len())?.to_be_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(body);
    Ok(stream.write_all(&bytes).await?)
}

async fn hear(stream: &mut TcpStream) -> Result<(Value, Vec<u8>)> {
    let length = stream.read_u32().await? as usize;
    if length > 64 << 20 {
        bail!("that is no answer of RocketMQ's");
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    let header = u32::from_be_bytes([0, bytes[1], bytes[2], bytes[3]]) as usize;
    let body = bytes.split_off((4 + header).min(length));
    Ok((serde_json::from_slice(&bytes[4..])?, body))
}
