use std::collections::HashMap;
use std::time::Duration;

use crate::limits::Limits;
use crate::message::MessageError;
use crate::pacing::Pacer;
use crate::retry::RetryPolicy;
use crate::scheduler::Bounds;

/// How a relay works. Every setting has a default that suits a service; [`RelayConfig::check`] names
/// the first that can't be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RelayConfig {
    /// The relay's name, unique among all that share the outbox. Default: host name, process id and a
    /// random part.
    pub name: String,
    /// Most fresh rows of one statement. Default: 1,000.
    pub page_rows: usize,
    /// Most bytes of one page (one row comes whatever it weighs). Default: 8 MiB.
    pub page_bytes: usize,
    /// Most due rows of one statement. Default: 500.
    pub due_rows: usize,
    /// Where the table is shared with other relays, look at no more rows than this in one statement.
    /// Default: 4,000.
    pub scan_rows: usize,
    /// Delivered rows are deleted when there are so many, or when there is nothing better to do. Default: 1,000.
    pub settle_rows: usize,
    /// The window: rows read and not yet settled. Default: 8,192 rows, 32 MiB, 2,048 rows of one key.
    pub window: Bounds,
    /// When so many keys of one topic are held by failed messages, the topic is paused but for their
    /// retries. Default: 1,000.
    pub held_keys_max: usize,
    /// How long a lease on a shard lasts. Default: 15 s. Shorter: a dead relay's shards are taken over
    /// sooner. At least 1 s, and longer than `publish_timeout`.
    pub lease: Duration,
    /// A publish that takes longer counts as unanswered. Default: 10 s.
    pub publish_timeout: Duration,
    /// How long a stop waits for publishes in flight. Default: 20 s.
    pub drain_timeout: Duration,
    /// Pause between polls while messages keep coming. Default: 3 ms.
    pub poll_busy: Duration,
    /// Pause between polls after a silence. Default: 200 ms.
    pub poll_idle: Duration,
    /// How soon a full pass follows the one before, at the earliest (and it takes at most 2 % of the
    /// time). Default: 10 s.
    pub full_pass: Duration,
    /// Keep delivered messages in the archive instead of deleting them. Default: no.
    pub archive: bool,
    /// Retries of topics without a policy of their own.
    pub default_policy: RetryPolicy,
    /// Retries by topic.
    pub policies: HashMap<String, RetryPolicy>,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            name: default_name(),
            page_rows: 1_000,
            page_bytes: 8 * 1024 * 1024,
            due_rows: 500,
            scan_rows: 4_000,
            settle_rows: 1_000,
            window: Bounds::default(),
            held_keys_max: 1_000,
            lease: Duration::from_secs(15),
            publish_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(20),
            poll_busy: Pacer::BUSY,
            poll_idle: Pacer::IDLE,
            full_pass: Duration::from_secs(10),
            archive: false,
            default_policy: RetryPolicy::DEFAULT,
            policies: HashMap::new(),
        }
    }
}

/// Host, process and a random part: a restarted process is another relay, whose predecessor's leases
/// must run out.
fn default_name() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let host: String = host
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c))
        .take(64)
        .collect();
    let host = if host.is_empty() { "relay" } else { &host };
    format!("{host}-{}-{:08x}", std::process::id(), fastrand::u32(..))
}

impl RelayConfig {
    /// The retries of a topic.
    pub fn policy(&self, topic: &str) -> &RetryPolicy {
        self.policies.get(topic).unwrap_or(&self.default_policy)
    }

    /// Checks that the settings can work together.
    ///
    /// # Errors
    /// The first setting that can't be, with its value and what it must be.
    pub fn check(&self) -> Result<(), RelayConfigError> {
        let wrong = |setting: &'static str, value: String, must: &'static str| {
            Err(RelayConfigError::Setting { setting, value, must })
        };
        if self.name.is_empty() || self.name.len() > 200 {
            return wrong("name", format!("{:?}", self.name), "have 1 to 200 bytes");
        }
        for (setting, value) in [
            ("page_rows", self.page_rows),
            ("page_bytes", self.page_bytes),
            ("due_rows", self.due_rows),
            ("scan_rows", self.scan_rows),
            ("settle_rows", self.settle_rows),
            ("held_keys_max", self.held_keys_max),
            ("window.rows", self.window.rows),
            ("window.bytes", self.window.bytes),
            ("window.key_rows", self.window.key_rows),
        ] {
            if value == 0 {
                return wrong(setting, value.to_string(), "be at least 1");
            }
        }
        for (setting, value) in [("page_rows", self.page_rows), ("due_rows", self.due_rows)] {
            if value > self.window.rows {
                return wrong(setting, value.to_string(), "not exceed window.rows");
            }
        }
        if self.window.key_rows > self.window.rows {
            return wrong(
                "window.key_rows",
                self.window.key_rows.to_string(),
                "not exceed window.rows",
            );
        }
        for (setting, value) in [
            ("page_rows", self.page_rows),
            ("scan_rows", self.scan_rows),
            ("settle_rows", self.settle_rows),
        ] {
            if value > 100_000 {
                return wrong(setting, value.to_string(), "be at most 100000");
            }
        }
        if self.lease < Duration::from_secs(1) {
            return wrong("lease", format!("{:?}", self.lease), "be at least 1s");
        }
        if self.publish_timeout >= self.lease {
            return wrong(
                "publish_timeout",
                format!("{:?}", self.publish_timeout),
                "be shorter than lease, or a publish could outlive its shard's ownership",
            );
        }
        if self.publish_timeout.is_zero() || self.poll_busy.is_zero() {
            return wrong("publish_timeout, poll_busy", "0s".into(), "be longer than 0");
        }
        for topic in self.policies.keys() {
            Limits::check_topic(topic).map_err(|source| RelayConfigError::PolicyTopic {
                topic: topic.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

/// A setting that can't be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayConfigError {
    /// A value out of bounds, or one that contradicts another.
    #[error("the relay's {setting} is {value}; it must {must}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        must: &'static str,
    },
    /// A retry policy for a topic that can't exist.
    #[error("there is a retry policy for {topic:?}, which can't be a topic")]
    PolicyTopic {
        /// The topic.
        topic: String,
        /// What is wrong with it.
        #[source]
        source: MessageError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_setting_is_named_with_its_value() {
        assert_eq!(RelayConfig::default().check(), Ok(()));
        let broken = |change: fn(&mut RelayConfig)| {
            let mut config = RelayConfig::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert_eq!(
            broken(|c| c.page_rows = 0),
            "the relay's page_rows is 0; it must be at least 1"
        );
        assert!(broken(|c| c.page_rows = 9_000).contains("not exceed window.rows"));
        assert!(broken(|c| c.lease = Duration::from_millis(10)).contains("lease is 10ms"));
        assert!(broken(|c| c.publish_timeout = Duration::from_secs(15)).contains("shorter than lease"));
        assert!(broken(|c| c.name = String::new()).contains("name is \"\""));
        assert!(
            broken(|c| c.policies = [("no such topic!".to_owned(), RetryPolicy::DEFAULT)].into())
                .contains("\"no such topic!\"")
        );
    }
}
