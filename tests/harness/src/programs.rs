//! Finds programs on this machine, and runs those that end by themselves.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::HarnessError;

/// The program as given when it is a path, else the first of that name in `PATH`.
pub(crate) fn find(program: &OsStr) -> Result<PathBuf, HarnessError> {
    let given = Path::new(program);
    let found = if given.components().count() > 1 {
        given.is_file().then(|| given.to_path_buf())
    } else {
        env::var_os("PATH").and_then(|path| in_folders(env::split_paths(&path), program))
    };
    found.ok_or_else(|| HarnessError::ProgramNotFound {
        program: program.to_string_lossy().into_owned(),
        looked_in: "PATH".to_owned(),
    })
}

/// The first folder that has the program.
pub(crate) fn in_folders(folders: impl IntoIterator<Item = PathBuf>, program: &OsStr) -> Option<PathBuf> {
    folders
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// What the program says of itself when asked for its version.
pub(crate) fn version_of(program: &Path) -> Result<String, HarnessError> {
    let run = Command::new(program).arg("--version").output();
    let output = run.map_err(HarnessError::io(format!("run {}", program.display())))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command that ends by itself and returns what it printed.
pub(crate) fn run_to_end(program: &str, mut command: Command) -> Result<String, HarnessError> {
    let output = command
        .output()
        .map_err(HarnessError::io(format!("run {program}")))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(stdout.trim_end().to_owned());
    }
    let output_text = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    Err(HarnessError::Failed {
        program: program.to_owned(),
        status: output.status,
        output: output_text,
    })
}
