//! Where the RabbitMQ server is on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::HarnessError;

const SERVER: &str = "rabbitmq-server";

/// Where packages put it. Not `PATH`: what packages put there is a wrapper that only root and its own user may run.
const USUAL: [&str; 3] = [
    "/usr/lib/rabbitmq/bin",
    "/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
];

/// The server's program and what belongs to it.
#[derive(Clone, Debug)]
pub struct RabbitMqBinaries {
    home: PathBuf,
    version: String,
}

impl RabbitMqBinaries {
    /// Looks for `rabbitmq-server` in the usual folders, and for the Erlang that runs it in `PATH`.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when there is none.
    pub fn find() -> Result<Self, HarnessError> {
        crate::programs::find("erl".as_ref())?;
        USUAL
            .into_iter()
            .find_map(|folder| Self::of(&Path::new(folder).join(SERVER)))
            .ok_or_else(|| HarnessError::ProgramNotFound {
                program: SERVER.to_owned(),
                looked_in: USUAL.join(", "),
            })
    }

    /// The installation that the script belongs to: `sbin` and `plugins` side by side.
    fn of(script: &Path) -> Option<Self> {
        let home = fs::canonicalize(script).ok()?.parent()?.parent()?.to_path_buf();
        let version = fs::read_dir(home.join("plugins"))
            .ok()?
            .flatten()
            .find_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = name.strip_prefix("rabbit-")?;
                Some(version.trim_end_matches(".ez").to_owned())
            })?;
        Some(Self { home, version })
    }

    /// The folder of the installation, with `sbin` and `plugins`.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The version, such as `3.10.8`.
    pub fn version(&self) -> &str {
        &self.version
    }
}
