//! How a private server is to be set up.

use std::time::Duration;

/// It starts in a few milliseconds; a busy machine takes its time.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Settings of a private server. Everything not named here is the server's own default.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    pub(crate) configuration: String,
    pub(crate) ready_within: Duration,
}

impl NatsOptions {
    /// The server's defaults, with JetStream in its folder.
    pub fn new() -> Self {
        Self {
            configuration: String::new(),
            ready_within: READY_WITHIN,
        }
    }

    /// Lines of its configuration file, as in `configuration("max_payload: 64KB")`. Default: none.
    #[must_use]
    pub fn configuration(mut self, lines: &str) -> Self {
        self.configuration.push_str(lines);
        self.configuration.push('\n');
        self
    }

    /// How long a start may take. Default: 60 s.
    #[must_use]
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self::new()
    }
}
