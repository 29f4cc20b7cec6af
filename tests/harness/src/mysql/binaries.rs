//! Where the programs of MySQL or MariaDB are on this machine.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::{HarnessError, environment, programs};

/// Where packages and archives put the server, besides `PATH`, which often lacks the folders of root.
const USUAL: [&str; 5] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/local/mysql/bin",
    "/usr/local/mariadb/bin",
];

/// MariaDB's name first: its packages keep the other one as a link.
const SERVERS: [&str; 2] = ["mariadbd", "mysqld"];

const CLIENTS: [&str; 2] = ["mariadb", "mysql"];

/// What fills the data folder of MariaDB, by its name and its former one. MySQL's server does that itself.
const INSTALLERS: [&str; 2] = ["mariadb-install-db", "mysql_install_db"];

/// Which of the two a server is. They speak the same protocol and not quite the same SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MysqlFlavour {
    /// Oracle's MySQL.
    Mysql,
    /// MariaDB.
    MariaDb,
}

impl MysqlFlavour {
    /// By the name of its image.
    pub(crate) fn of_image(image: &str) -> Self {
        if image.to_lowercase().contains("mariadb") {
            Self::MariaDb
        } else {
            Self::Mysql
        }
    }

    /// By what the server says of itself: MariaDB's version has its name in it, whatever the program is called.
    pub(crate) fn of(version: &str) -> Self {
        if version.contains("MariaDB") {
            Self::MariaDb
        } else {
            Self::Mysql
        }
    }
}

impl fmt::Display for MysqlFlavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mysql => "MySQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

/// The server's programs, all of one version.
#[derive(Clone, Debug)]
pub struct MysqlBinaries {
    server: PathBuf,
    // MariaDB's alone.
    installer: Option<PathBuf>,
    flavour: MysqlFlavour,
    version: String,
}

impl MysqlBinaries {
    /// Looks for `mariadbd`, then for `mysqld`, in `PATH` and the usual folders; or only in the folder that
    /// [`environment::MYSQL_BINARIES`] names, for a server that is unpacked somewhere.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when there is none; another when the server found doesn't run.
    pub fn find() -> Result<Self, HarnessError> {
        let server = first(&folders(), &SERVERS).ok_or_else(|| not_found("mariadbd or mysqld"))?;
        let version = programs::version_of(&server)?;
        let flavour = MysqlFlavour::of(&version);
        let installer = match flavour {
            MysqlFlavour::Mysql => None,
            MysqlFlavour::MariaDb => {
                // Archives keep it in a folder of its own beside the server's.
                let beside = server.parent().and_then(Path::parent);
                let folders: Vec<PathBuf> = folders()
                    .into_iter()
                    .chain(beside.map(|folder| folder.join("scripts")))
                    .collect();
                Some(first(&folders, &INSTALLERS).ok_or_else(|| not_found("mariadb-install-db"))?)
            }
        };
        Ok(Self {
            server,
            installer,
            flavour,
            version,
        })
    }

    /// The server's program.
    pub fn server(&self) -> &Path {
        &self.server
    }

    /// Whether it is MySQL or MariaDB.
    pub fn flavour(&self) -> MysqlFlavour {
        self.flavour
    }

    /// What the server says of itself, such as `mariadbd  Ver 10.11.19-MariaDB for Linux on x86_64`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The program that fills a data folder, where it isn't the server itself.
    pub(crate) fn installer(&self) -> Option<&Path> {
        self.installer.as_deref()
    }
}

/// The client, which may be installed without a server. MariaDB's talks to both servers; MySQL's from 9.0 on lacks the
/// authentication that MariaDB uses.
pub(crate) fn client() -> Result<PathBuf, HarnessError> {
    let path: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    first(&folders(), &CLIENTS)
        .or_else(|| first(&path, &CLIENTS))
        .ok_or_else(|| not_found("mariadb or mysql"))
}

/// The first program that is in any of the folders.
fn first(folders: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    names
        .iter()
        .find_map(|name| programs::in_folders(folders.to_owned(), OsStr::new(name)))
}

fn not_found(program: &str) -> HarnessError {
    let looked_in = match environment::non_empty(environment::MYSQL_BINARIES) {
        Some(folder) => format!("{folder}, which {} names", environment::MYSQL_BINARIES),
        None => format!("PATH, {}", USUAL.join(", ")),
    };
    HarnessError::ProgramNotFound {
        program: program.to_owned(),
        looked_in,
    }
}

fn folders() -> Vec<PathBuf> {
    if let Some(folder) = environment::non_empty(environment::MYSQL_BINARIES) {
        return vec![folder.into()];
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain(USUAL.map(PathBuf::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_by_its_version_and_not_by_its_name() {
        let mariadb = "/usr/sbin/mysqld  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64";
        let mysql = "/usr/sbin/mysqld  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)";
        assert_eq!(MysqlFlavour::of(mariadb), MysqlFlavour::MariaDb);
        assert_eq!(MysqlFlavour::of(mysql), MysqlFlavour::Mysql);
    }
}
