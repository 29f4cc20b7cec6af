//! Settings that every engine has.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::BrokerError;
use crate::mapping::Mapping;
use crate::names::check_prefix;
use crate::url::Setting;

/// What every builder has.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) prefix: String,
    /// Queues of a topic.
    pub(crate) queues: u32,
    /// How long the server may take to answer.
    pub(crate) timeout: Duration,
    /// The source, where messages are CloudEvents.
    pub(crate) cloudevents: Option<String>,
    pub(crate) tls: TlsFiles,
}

/// Files in PEM.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsFiles {
    pub(crate) roots: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// What an engine can do.
pub(crate) struct Bounds {
    /// Bytes of a prefix.
    pub(crate) prefix: RangeInclusive<usize>,
    /// Most queues of a topic.
    pub(crate) queues: u32,
}

impl Common {
    /// Their names in a URL.
    const SETTINGS: [&'static str; 7] = ["prefix", "queues", "timeout", "cloudevents", "ca", "cert", "key"];

    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            queues: 8,
            timeout: Duration::from_secs(5),
            cloudevents: None,
            tls: TlsFiles::default(),
        }
    }

    /// Takes a setting of a URL. False: it is none of these.
    pub(crate) fn take(&mut self, setting: &Setting) -> Result<bool, BrokerError> {
        match &*setting.name {
            "prefix" => self.prefix.clone_from(&setting.value),
            "queues" => self.queues = setting.number()?,
            "timeout" => self.timeout = setting.duration()?,
            "cloudevents" => self.cloudevents = Some(setting.value.clone()),
            "ca" => self.tls.roots = Some(setting.file()),
            "cert" => self.tls.certificate = Some(setting.file()),
            "key" => self.tls.key = Some(setting.file()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The error for a setting that is neither one of these nor one of the engine's own.
    pub(crate) fn unknown(setting: &Setting, own: &[&str]) -> BrokerError {
        setting.unknown(&[&Self::SETTINGS, own].concat())
    }

    /// What can't be is named.
    pub(crate) fn check(&self, bounds: &Bounds) -> Result<(), BrokerError> {
        if !(self.prefix.is_empty() && bounds.prefix.contains(&0)) {
            check_prefix(&self.prefix, *bounds.prefix.end())?;
        }
        if !(1..=bounds.queues).contains(&self.queues) {
            let reason = format!("it is 1 to {}", bounds.queues);
            return Err(BrokerError::setting("queues_per_topic", self.queues, reason));
        }
        if self.timeout.is_zero() {
            return Err(BrokerError::setting(
                "timeout",
                "0",
                "nothing would be waited for",
            ));
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            let reason = "a certificate and its key go together (`cert` and `key`)";
            return Err(BrokerError::setting(
                "the client's certificate",
                "one of them",
                reason,
            ));
        }
        Ok(())
    }

    /// How messages are written: `attribute` is put before the names of CloudEvents' attributes, and their values are percent-encoded
    /// if they are to be.
    pub(crate) fn mapping(&self, attribute: &'static str, encoded: bool) -> Mapping {
        Mapping {
            cloudevents: self.cloudevents.as_deref().map(Into::into),
            attribute,
            encoded,
        }
    }
}

impl TlsFiles {
    pub(crate) fn are_set(&self) -> bool {
        self.roots.is_some() || self.certificate.is_some() || self.key.is_some()
    }
}
