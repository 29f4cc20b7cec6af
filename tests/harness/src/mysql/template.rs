//! A data folder that is made once in a test process and copied for each of its servers: MySQL needs seconds to fill
//! one, a copy takes a fraction of that.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::identity::Identity;
use crate::{HarnessError, Scratch, programs};

/// Never dropped: it ends with the process, and its folder is swept by a later one.
static MADE: Mutex<Option<Template>> = Mutex::new(None);

struct Template {
    // Which server filled it.
    server: PathBuf,
    scratch: Scratch,
}

/// Copies the template for this server to `data`; the first time, `fill` makes it.
pub(crate) fn copy(
    server: &Path,
    identity: &Identity,
    data: &Path,
    fill: impl FnOnce(&Path) -> Result<(), HarnessError>,
) -> Result<(), HarnessError> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let template = match made.take().filter(|template| template.server == server) {
        Some(template) => template,
        None => make(server, identity, fill)?,
    };
    let folder = folder(&template.scratch);
    *made = Some(template);
    drop(made);
    let mut cp = Command::new(programs::find("cp".as_ref())?);
    cp.args(["--archive", "--reflink=auto"]).arg(folder).arg(data);
    programs::run_to_end("cp", cp).map(drop)
}

fn make(
    server: &Path,
    identity: &Identity,
    fill: impl FnOnce(&Path) -> Result<(), HarnessError>,
) -> Result<Template, HarnessError> {
    let scratch = Scratch::new()?;
    let folder = folder(&scratch);
    std::fs::create_dir(&folder).map_err(HarnessError::io(format!("make {}", folder.display())))?;
    identity.own(&folder)?;
    fill(&folder)?;
    Ok(Template {
        server: server.to_owned(),
        scratch,
    })
}

fn folder(scratch: &Scratch) -> PathBuf {
    scratch.path().join("template")
}
