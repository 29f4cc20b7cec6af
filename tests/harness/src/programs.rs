//! Finds programs on this machine.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

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
