//! Where the workspace is, and the cargo that runs us.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's folder. Cargo says at run time where this package is; the folder at build time may have moved.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let package = package.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    package
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The cargo that was called, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What cargo says to this program of its package. Build scripts that look at it (ring's) would run again, and with them
    // would be built again what depends on them, once for this cargo and once for the one that people call.
    for (name, _) in env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| OF_THIS_PACKAGE.iter().any(|of_this| name.starts_with(of_this)))
        {
            command.env_remove(name);
        }
    }
    command
}

/// How the variables begin in which cargo describes the package whose program it runs.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];
