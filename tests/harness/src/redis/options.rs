//! How a private server is to be set up.

use std::time::Duration;

use crate::container::ContainerImage;

/// It starts in a few milliseconds; a busy machine takes its time.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Settings of a private server. Everything not named here is the server's own default, but that nothing is written to
/// disk: what Redis is used for must survive its loss, so a restarted one is empty.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) ready_within: Duration,
    pub(crate) container: Option<ContainerImage>,
}

impl RedisOptions {
    /// The server's defaults.
    pub fn new() -> Self {
        Self {
            settings: Vec::new(),
            ready_within: READY_WITHIN,
            container: None,
        }
    }

    /// Sets a parameter of `redis.conf`, as in `setting("maxmemory", "2mb")`; words of a value are separated by
    /// blanks. Default: none set.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// How long a start may take. Default: 60 s.
    #[must_use]
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }

    /// Starts it in a container of this image. Default: what the environment asks for ([`ContainerImage::chosen`]),
    /// else the program on the machine.
    #[must_use]
    pub fn container(mut self, image: ContainerImage) -> Self {
        self.container = Some(image);
        self
    }
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self::new()
    }
}
