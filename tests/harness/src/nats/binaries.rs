//! Where the NATS server is on this machine.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::{HarnessError, programs};

const SERVER: &str = "nats-server";

/// Where packages and builds put it, besides `PATH`.
const USUAL: [&str; 2] = ["/usr/sbin", "/usr/local/bin"];

/// The server's program.
#[derive(Clone, Debug)]
pub struct NatsBinaries {
    server: PathBuf,
    version: String,
}

impl NatsBinaries {
    /// Looks for `nats-server` in `PATH` and the usual folders.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when there is none; another when it doesn't run.
    pub fn find() -> Result<Self, HarnessError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain(USUAL.map(PathBuf::from));
        let server = programs::in_folders(folders, OsStr::new(SERVER)).ok_or_else(|| {
            HarnessError::ProgramNotFound {
                program: SERVER.to_owned(),
                looked_in: format!("PATH, {}", USUAL.join(", ")),
            }
        })?;
        let version = programs::version_of(&server)?;
        Ok(Self { server, version })
    }

    /// The server's program.
    pub fn server(&self) -> &Path {
        &self.server
    }

    /// What the server says of itself, such as `nats-server: v2.9.10`.
    pub fn version(&self) -> &str {
        &self.version
    }
}
