//! Where Java and Kafka's jars are on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::jars::{JarServer, Jars};
use crate::{HarnessError, environment};

static KAFKA: JarServer = JarServer {
    name: "kafka",
    version: KafkaBinaries::VERSION,
    variable: environment::KAFKA_JARS,
    own_jar: "kafka_",
    heap: "256m",
};

/// Java, and a folder of Kafka's jars.
#[derive(Clone, Debug)]
pub struct KafkaBinaries(Jars);

impl KafkaBinaries {
    /// The version that is fetched and looked for.
    pub const VERSION: &str = "4.1.1";

    /// Looks for `java` in `PATH`, and for the jars in the folder that [`environment::KAFKA_JARS`] names, or where
    /// `cargo xtask test` puts them.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when one of them isn't there.
    pub fn find() -> Result<Self, HarnessError> {
        KAFKA.find().map(Self)
    }

    /// Where `cargo xtask test` puts the jars: under the workspace's build folder.
    pub fn cache_folder() -> PathBuf {
        KAFKA.cache_folder()
    }

    /// The archive of classes beside the jars, whether or not it is there.
    pub fn archive_of_classes(&self) -> PathBuf {
        self.0.archive_of_classes()
    }

    /// The folder of the jars.
    pub fn jars(&self) -> &Path {
        self.0.folder()
    }

    /// For a tool that ends by itself.
    pub(crate) fn java(&self) -> Command {
        with_log(self.0.java())
    }

    /// For the server.
    pub(crate) fn java_with_archive(&self, make: Option<&Path>) -> Command {
        with_log(self.0.java_with_archive(make))
    }
}

fn with_log(mut java: Command) -> Command {
    java.args([
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
    ]);
    java
}
