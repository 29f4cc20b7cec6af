//! A formatted folder that is made once in a test process and copied for each of its servers: formatting takes a start of Java.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::{HarnessError, Scratch};

/// Never dropped: it ends with the process, and its folder is swept by a later one.
static MADE: Mutex<Option<Scratch>> = Mutex::new(None);

/// Copies the template into `folder`; the first time, `format` makes it.
pub(crate) fn copy(
    folder: &Path,
    format: impl FnOnce(&Path) -> Result<(), HarnessError>,
) -> Result<(), HarnessError> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if made.is_none() {
        let scratch = Scratch::new()?;
        format(&template(&scratch))?;
        *made = Some(scratch);
    }
    let Some(scratch) = made.as_ref() else {
        return Ok(());
    };
    let error = || HarnessError::io(format!("copy the formatted folder to {}", folder.display()));
    fs::create_dir(folder).map_err(error())?;
    for file in fs::read_dir(template(scratch)).map_err(error())? {
        let file = file.map_err(error())?;
        fs::copy(file.path(), folder.join(file.file_name())).map_err(error())?;
    }
    Ok(())
}

fn template(scratch: &Scratch) -> std::path::PathBuf {
    scratch.path().join("formatted")
}
