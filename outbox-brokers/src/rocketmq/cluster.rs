//! The servers: name servers, which know where topics are, and brokers, which have them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outbox_core::Message;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::code::{ask, said};
use super::frame::Command;
use super::link::{Asked, Link, LinkError, Manner};
use crate::error::BrokerError;
use crate::placement;

/// A topic that each broker has.
pub(super) const EVERYWHERE: &str = "SELF_TEST_TOPIC";
/// The broker of its name that takes messages.
const MASTER: &str = "0";
const READABLE: i32 = 4;
const WRITABLE: i32 = 2;
/// Between looks at whether a topic is known by now.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A queue of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Queue {
    pub(super) broker: Arc<str>,
    pub(super) id: i32,
}

/// Where a topic is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// The same order for everybody.
    pub(super) queues: Vec<Queue>,
}

impl Route {
    /// The queue of a message, of those that there are.
    pub(super) fn queue_of(&self, message: &Message) -> Option<&Queue> {
        let queues = u32::try_from(self.queues.len()).unwrap_or(u32::MAX);
        self.queues.get(placement::queue(message, queues) as usize)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteData {
    #[serde(default)]
    queue_datas: Vec<QueueData>,
    #[serde(default)]
    broker_datas: Vec<BrokerData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueueData {
    broker_name: String,
    #[serde(default)]
    read_queue_nums: i32,
    #[serde(default)]
    write_queue_nums: i32,
    #[serde(default)]
    perm: i32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BrokerData {
    broker_name: String,
    #[serde(default)]
    broker_addrs: HashMap<String, String>,
}

/// The servers, with a connection to each that was needed.
pub(super) struct Cluster {
    name_servers: Vec<Link>,
    manner: Manner,
    asked: Option<mpsc::Sender<Asked>>,
    /// Where the one broker is, whatever name servers say.
    at: Option<String>,
    brokers: Mutex<Brokers>,
}

/// What is known of brokers.
#[derive(Default)]
struct Brokers {
    /// The address of each master.
    addresses: BTreeMap<Arc<str>, String>,
    links: HashMap<String, Arc<Link>>,
}

impl Cluster {
    pub(super) fn new(hosts: &[String], manner: Manner, at: Option<String>) -> Self {
        let link = |host: &String| Link::new(host.clone(), manner.clone(), None);
        Self {
            name_servers: hosts.iter().map(link).collect(),
            manner,
            asked: None,
            at,
            brokers: Mutex::default(),
        }
    }

    /// The same servers over connections of its own; what brokers ask goes there.
    pub(super) fn apart(&self, asked: Option<mpsc::Sender<Asked>>) -> Self {
        let link = |link: &Link| Link::new(link.address().to_owned(), self.manner.clone(), None);
        Self {
            name_servers: self.name_servers.iter().map(link).collect(),
            manner: self.manner.clone(),
            asked,
            at: self.at.clone(),
            brokers: Mutex::new(Brokers {
                addresses: self.known(|brokers| brokers.addresses.clone()),
                links: HashMap::new(),
            }),
        }
    }

    fn known<T>(&self, use_them: impl FnOnce(&mut Brokers) -> T) -> T {
        // Nothing panics while it is held.
        use_them(&mut self.brokers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where a topic is, if it is anywhere.
    pub(super) async fn route(&self, topic: &str) -> Result<Option<Route>, BrokerError> {
        const DOING: &str = "asking a name server";
        let command = Command::new(ask::ROUTE)
            .with("topic", topic)
            // Otherwise its JSON has numbers for names.
            .with("acceptStandardJsonOnly", true);
        let answer = self.ask_name_servers(command).await?;
        match answer.code {
            said::OK => {}
            said::TOPIC_NOT_EXIST => return Ok(None),
            _ => return Err(refused(DOING, &answer)),
        }
        let data: RouteData = serde_json::from_slice(&answer.body).map_err(BrokerError::server(DOING))?;
        self.known(|brokers| {
            for broker in data.broker_datas {
                if let Some(address) = broker.broker_addrs.get(MASTER) {
                    let address = self.at.as_ref().unwrap_or(address);
                    brokers
                        .addresses
                        .insert(broker.broker_name.into(), address.clone());
                }
            }
        });
        let mut queues: Vec<Queue> = data
            .queue_datas
            .iter()
            .filter(|data| data.perm & (READABLE | WRITABLE) == READABLE | WRITABLE)
            .flat_map(|data| {
                let ids = 0..data.write_queue_nums.min(data.read_queue_nums);
                ids.map(|id| Queue {
                    broker: data.broker_name.as_str().into(),
                    id,
                })
            })
            .collect();
        queues.sort_unstable();
        Ok(Some(Route { queues }))
    }

    /// Each broker that takes messages.
    pub(super) async fn masters(&self) -> Result<Vec<Arc<str>>, BrokerError> {
        self.route(EVERYWHERE).await?;
        let masters: Vec<_> = self.known(|brokers| brokers.addresses.keys().cloned().collect());
        if masters.is_empty() {
            return Err(BrokerError::Server {
                doing: "looking for brokers",
                message: "the name server knows none".to_owned(),
                source: None,
            });
        }
        Ok(masters)
    }

    /// Waits until a topic that was made is known.
    pub(super) async fn wait_for(&self, topic: &str) -> Result<Route, BrokerError> {
        let begun = Instant::now();
        loop {
            match self.route(topic).await? {
                Some(route) if !route.queues.is_empty() => return Ok(route),
                _ if begun.elapsed() > self.manner.timeout => {
                    return Err(BrokerError::Missing {
                        what: "topic",
                        name: topic.to_owned(),
                        remedy: "it was made, and the name server does not know it yet".to_owned(),
                    });
                }
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    async fn ask_name_servers(&self, command: Command) -> Result<Command, BrokerError> {
        let mut last = None;
        for link in &self.name_servers {
            match link.call(command.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        let lost = last.unwrap_or_else(|| LinkError::Lost {
            address: "nowhere".to_owned(),
        });
        Err(BrokerError::server("asking a name server")(lost))
    }

    /// The connection to a broker of this name. One that is elsewhere by now is found by [`route`](Self::route).
    pub(super) fn broker(&self, name: &str) -> Result<Arc<Link>, LinkError> {
        let address = self.known(|brokers| brokers.addresses.get(name).cloned());
        let nowhere = || LinkError::Lost {
            address: format!("the broker {name}"),
        };
        Ok(self.at(&address.ok_or_else(nowhere)?))
    }

    /// Asks the broker of this name.
    pub(super) async fn ask(&self, broker: &str, command: Command) -> Result<Command, LinkError> {
        self.broker(broker)?.call(command).await
    }

    /// The same, where any answer but yes is an error.
    pub(super) async fn demand(
        &self,
        broker: &str,
        doing: &'static str,
        command: Command,
    ) -> Result<Command, BrokerError> {
        let answer = self.ask(broker, command).await;
        let answer = answer.map_err(BrokerError::server(doing))?;
        match answer.code {
            said::OK => Ok(answer),
            _ => Err(refused(doing, &answer)),
        }
    }

    /// The connection to the broker at this address.
    pub(super) fn at(&self, address: &str) -> Arc<Link> {
        self.known(|brokers| {
            if let Some(link) = brokers.links.get(address) {
                return Arc::clone(link);
            }
            let link = Link::new(address.to_owned(), self.manner.clone(), self.asked.clone());
            let link = Arc::new(link);
            brokers.links.insert(address.to_owned(), Arc::clone(&link));
            link
        })
    }
}

/// The error of an answer that is not as it should be.
pub(super) fn refused(doing: &'static str, answer: &Command) -> BrokerError {
    BrokerError::Server {
        doing,
        message: said_text(answer),
        source: None,
    }
}

/// What an answer says of an error, on one line.
pub(super) fn said_text(answer: &Command) -> String {
    let first = answer.remark.lines().next().unwrap_or_default();
    format!("{first} (code {})", answer.code)
}
