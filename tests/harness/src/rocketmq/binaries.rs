//! Where Java and RocketMQ's jars are on this machine.

use std::path::{Path, PathBuf};

use crate::jars::{JarServer, Jars};
use crate::{HarnessError, environment};

static ROCKETMQ: JarServer = JarServer {
    name: "rocketmq",
    version: RocketMqBinaries::VERSION,
    variable: environment::ROCKETMQ_JARS,
    own_jar: "rocketmq-proxy-",
    heap: "512m",
};

/// Java, and a folder of RocketMQ's jars.
#[derive(Clone, Debug)]
pub struct RocketMqBinaries(Jars);

impl RocketMqBinaries {
    /// The version that is fetched and looked for.
    pub const VERSION: &str = "5.3.3";

    /// Looks for `java` in `PATH`, and for the jars in the folder that [`environment::ROCKETMQ_JARS`] names, or where
    /// `cargo xtask test --full` puts them.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when one of them isn't there.
    pub fn find() -> Result<Self, HarnessError> {
        ROCKETMQ.find().map(Self)
    }

    /// Where `cargo xtask test --full` puts the jars: under the workspace's build folder.
    pub fn cache_folder() -> PathBuf {
        ROCKETMQ.cache_folder()
    }

    /// The archive of classes beside the jars, whether or not it is there.
    pub fn archive_of_classes(&self) -> PathBuf {
        self.0.archive_of_classes()
    }

    /// The folder of the jars.
    pub fn jars(&self) -> &Path {
        self.0.folder()
    }

    pub(super) fn java(&self) -> &Jars {
        &self.0
    }
}
