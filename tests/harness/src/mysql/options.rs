//! How a private server is to be set up.

use std::time::Duration;

use crate::container::ContainerImage;

/// Crash recovery of a busy server on a slow disk takes longer than its start.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Settings of a private server. Everything not named here is the server's own default, but for a small redo log and
/// no binary log; above all `innodb_flush_log_at_trx_commit` is 1, because what survives `kill -9` is what these tests
/// are about.
#[derive(Clone, Debug)]
pub struct MysqlOptions {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) ready_within: Duration,
    pub(crate) container: Option<ContainerImage>,
}

impl MysqlOptions {
    /// The server's defaults.
    pub fn new() -> Self {
        Self {
            settings: Vec::new(),
            ready_within: READY_WITHIN,
            container: None,
        }
    }

    /// Sets a system variable at the start, as in `setting("max_connections", "200")`. What must be known when the
    /// data folder is made, such as the size of pages, can't be set. Default: none set.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// How long a start, crash recovery included, may take. Default: 60 s.
    #[must_use]
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }

    /// Starts it in a container of this image. Default: what the environment asks for ([`ContainerImage::chosen`]),
    /// else programs on the machine.
    #[must_use]
    pub fn container(mut self, image: ContainerImage) -> Self {
        self.container = Some(image);
        self
    }
}

impl Default for MysqlOptions {
    fn default() -> Self {
        Self::new()
    }
}
