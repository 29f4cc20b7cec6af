//! A server that runs in Java: where its jars are on this machine, and how they are run.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{HarnessError, environment, programs};

const JAVA: &str = "java";

/// What makes a server of jars.
#[derive(Debug)]
pub(crate) struct JarServer {
    /// For folders and files.
    pub(crate) name: &'static str,
    /// The version that is fetched and looked for.
    pub(crate) version: &'static str,
    /// The environment variable that names another folder.
    pub(crate) variable: &'static str,
    /// What the server's own jar begins with.
    pub(crate) own_jar: &'static str,
    /// The most memory for its objects, as Java writes it.
    pub(crate) heap: &'static str,
}

impl JarServer {
    /// Where `cargo xtask test` puts the jars: under the workspace's build folder.
    pub(crate) fn cache_folder(&self) -> PathBuf {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
            PathBuf::from,
        );
        target
            .join("test-servers")
            .join(format!("{}-{}", self.name, self.version))
    }

    /// Looks for `java` in `PATH`, and for the jars in the folder that the variable names, or in [`Self::cache_folder`].
    pub(crate) fn find(&'static self) -> Result<Jars, HarnessError> {
        let java = programs::find(OsStr::new(JAVA))?;
        let folder = match environment::non_empty(self.variable) {
            Some(folder) => PathBuf::from(folder),
            None => self.cache_folder(),
        };
        let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension() == Some(OsStr::new("jar")))
            .collect();
        // In the same order as when the classes were archived.
        found.sort();
        let is_own = |jar: &PathBuf| {
            let name = jar.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(self.own_jar)
        };
        if !found.iter().any(is_own) {
            return Err(HarnessError::ProgramNotFound {
                program: self.name.to_owned(),
                looked_in: format!("{}, {}", self.variable, folder.display()),
            });
        }
        let class_path: Vec<String> = found.iter().map(|jar| jar.display().to_string()).collect();
        Ok(Jars {
            server: self,
            java,
            folder,
            class_path: class_path.join(":"),
        })
    }
}

/// Java, and a folder of jars.
#[derive(Clone, Debug)]
pub(crate) struct Jars {
    server: &'static JarServer,
    java: PathBuf,
    folder: PathBuf,
    class_path: String,
}

impl Jars {
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The classes that the server loads, as one file beside the jars; made by `cargo xtask test`. Without it the server starts
    /// slower.
    pub(crate) fn archive_of_classes(&self) -> PathBuf {
        self.folder.join(format!("{}.jsa", self.server.name))
    }

    /// Java with the jars, and small: a test's server has little to do.
    pub(crate) fn java(&self) -> Command {
        let mut java = Command::new(&self.java);
        java.args(["-Xms64m", &format!("-Xmx{}", self.server.heap)])
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(["-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true"])
            .args(["-cp", &self.class_path]);
        java
    }

    /// The same that is to run for some time: with the archive of classes, or writing one to this file when it ends.
    pub(crate) fn java_with_archive(&self, make: Option<&Path>) -> Command {
        let mut java = self.java();
        java.arg(match make {
            Some(file) => format!("-XX:ArchiveClassesAtExit={}", file.display()),
            None => format!("-XX:SharedArchiveFile={}", self.archive_of_classes().display()),
        });
        java
    }
}
