//! Folders that vanish with the test, and at the latest with the next one.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use tempfile::TempDir;

use crate::HarnessError;

const PREFIX: &str = "outbox-test-";
const LOCK: &str = ".in-use";

/// A folder younger than this is never swept: its owner may not have locked it yet.
const SWEEP_MIN_AGE: Duration = Duration::from_secs(60);

/// A temporary folder, removed on drop.
///
/// A killed process can't remove its folders. Each holds a lock file that the system releases with the process, and
/// the first folder made by any later process sweeps those that nobody holds.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// A new empty folder in the system's folder for temporary files, readable by all (servers run as another user
    /// than root).
    ///
    /// # Errors
    ///
    /// When the folder can't be made.
    pub fn new() -> Result<Self, HarnessError> {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        let error = || HarnessError::io(format!("make a folder in {}", std::env::temp_dir().display()));
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir()
            .map_err(error())?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).map_err(error())?;
        let lock = File::create(folder.path().join(LOCK)).map_err(error())?;
        lock.lock().map_err(error())?;
        Ok(Self { folder, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders of processes that were killed. Best effort: another sweeper may be at it too.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if is_abandoned(&entry) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let old = || {
        let age = entry.metadata().ok()?.modified().ok()?.elapsed().ok()?;
        Some(age > SWEEP_MIN_AGE)
    };
    entry.file_name().to_string_lossy().starts_with(PREFIX)
        && entry.file_type().is_ok_and(|kind| kind.is_dir())
        && old().unwrap_or(false)
        && File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_value() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_path_buf();
        fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_in_use_is_not_abandoned() {
        let scratch = Scratch::new().unwrap();
        let lock = File::open(scratch.path().join(LOCK)).unwrap();
        assert!(lock.try_lock().is_err());
    }
}
