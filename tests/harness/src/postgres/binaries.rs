//! Where PostgreSQL's programs are on this machine.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{HarnessError, programs};

/// Debian and Ubuntu keep each major version here and out of `PATH`.
const VERSIONED: &str = "/usr/lib/postgresql";

/// The server's programs, all of one version.
#[derive(Clone, Debug)]
pub struct PostgresBinaries {
    folder: PathBuf,
    version: String,
}

impl PostgresBinaries {
    /// Looks in `PATH`, then in `/usr/lib/postgresql/*/bin`, the newest version first.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when there are none; another when the server found doesn't run.
    pub fn find() -> Result<Self, HarnessError> {
        let folder = folders()
            .into_iter()
            .find(|folder| {
                ["initdb", "postgres"]
                    .iter()
                    .all(|program| folder.join(program).is_file())
            })
            .ok_or_else(|| not_found("postgres"))?;
        let version = programs::version_of(&folder.join("postgres"))?;
        Ok(Self { folder, version })
    }

    /// The folder that holds them.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the server says of itself, such as `postgres (PostgreSQL) 15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The client `psql`, which may be installed without a server.
pub(crate) fn psql() -> Result<PathBuf, HarnessError> {
    programs::in_folders(folders(), OsStr::new("psql")).ok_or_else(|| not_found("psql"))
}

fn not_found(program: &str) -> HarnessError {
    let looked_in = format!("PATH and {VERSIONED}/*/bin");
    HarnessError::ProgramNotFound {
        program: program.to_owned(),
        looked_in,
    }
}

fn folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(versioned()).collect()
}

fn versioned() -> Vec<PathBuf> {
    let entries = fs::read_dir(VERSIONED).into_iter().flatten().flatten();
    let mut versions: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_by_key(|version| Reverse(*version));
    versions
        .into_iter()
        .map(|version| Path::new(VERSIONED).join(version.to_string()).join("bin"))
        .collect()
}
