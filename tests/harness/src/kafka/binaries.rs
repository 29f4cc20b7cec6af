//! Where Java and Kafka's jars are on this machine.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{HarnessError, environment, programs};

const JAVA: &str = "java";

/// The classes that the server loads, as one file; made by `cargo xtask test`. Without it the server starts slower.
const CLASSES: &str = "kafka.jsa";

/// Java, and a folder of Kafka's jars.
#[derive(Clone, Debug)]
pub struct KafkaBinaries {
    java: PathBuf,
    jars: PathBuf,
    class_path: String,
}

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
        let java = programs::find(OsStr::new(JAVA))?;
        let jars = match environment::non_empty(environment::KAFKA_JARS) {
            Some(folder) => PathBuf::from(folder),
            None => Self::cache_folder(),
        };
        let mut found: Vec<String> = std::fs::read_dir(&jars)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension() == Some(OsStr::new("jar")))
            .map(|path| path.display().to_string())
            .collect();
        // In the same order as when the classes were archived.
        found.sort();
        if !found.iter().any(|jar| jar.contains("kafka_")) {
            return Err(HarnessError::ProgramNotFound {
                program: "kafka".to_owned(),
                looked_in: format!("{}, {}", environment::KAFKA_JARS, jars.display()),
            });
        }
        Ok(Self {
            java,
            jars,
            class_path: found.join(":"),
        })
    }

    /// Where `cargo xtask test` puts the jars: under the workspace's build folder.
    pub fn cache_folder() -> PathBuf {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
            PathBuf::from,
        );
        target
            .join("test-servers")
            .join(format!("kafka-{}", Self::VERSION))
    }

    /// The archive of classes beside the jars, whether or not it is there.
    pub fn archive_of_classes(&self) -> PathBuf {
        self.jars.join(CLASSES)
    }

    /// The folder of the jars.
    pub fn jars(&self) -> &Path {
        &self.jars
    }

    /// Java with the jars, and small: a test's server has little to do.
    pub(crate) fn java(&self) -> Command {
        let mut java = Command::new(&self.java);
        java.args([
            "-Xms64m",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
        ])
        .args(["-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true"])
        .args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
        ])
        .args(["-cp", &self.class_path]);
        java
    }
}
