//! How a private server is to be set up.

use std::time::Duration;

/// It starts in three seconds; a busy machine takes its time.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Settings of a private server. Everything not named here is the server's own default; no plugin is enabled.
#[derive(Clone, Debug)]
pub struct RabbitMqOptions {
    pub(crate) configuration: String,
    pub(crate) ready_within: Duration,
}

impl RabbitMqOptions {
    /// The server's defaults.
    pub fn new() -> Self {
        Self {
            configuration: String::new(),
            ready_within: READY_WITHIN,
        }
    }

    /// Lines of its configuration file, as in `configuration("disk_free_limit.absolute = 1GB")`. Default: none.
    #[must_use]
    pub fn configuration(mut self, lines: &str) -> Self {
        self.configuration.push_str(lines);
        self.configuration.push('\n');
        self
    }

    /// How long a start may take. Default: 120 s.
    #[must_use]
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }
}

impl Default for RabbitMqOptions {
    fn default() -> Self {
        Self::new()
    }
}
