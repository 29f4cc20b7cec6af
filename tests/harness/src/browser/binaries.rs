//! Where the browser and its driver are on this machine.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::{HarnessError, programs};

/// What packages call it.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const DRIVER: &str = "chromedriver";

/// Where packages put them, besides `PATH`.
const USUAL: [&str; 4] = [
    "/usr/bin",
    "/usr/local/bin",
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
];

/// The programs of a browser.
#[derive(Clone, Debug)]
pub struct BrowserBinaries {
    browser: PathBuf,
    driver: PathBuf,
    version: String,
}

impl BrowserBinaries {
    /// Looks for Chromium or Chrome, and for `chromedriver`, in `PATH` and the usual folders.
    ///
    /// # Errors
    ///
    /// [`HarnessError::ProgramNotFound`] when one of the two is missing; another when it doesn't run.
    pub fn find() -> Result<Self, HarnessError> {
        let browser = find(&BROWSERS)?;
        let driver = find(&[DRIVER])?;
        let version = programs::version_of(&driver)?;
        Ok(Self {
            browser,
            driver,
            version,
        })
    }

    /// The browser's program.
    pub fn browser(&self) -> &Path {
        &self.browser
    }

    /// The driver's program.
    pub fn driver(&self) -> &Path {
        &self.driver
    }

    /// What the driver says of itself, such as `ChromeDriver 156.0.8078.79 (…)`; the browser is of the same version.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn find(names: &[&str]) -> Result<PathBuf, HarnessError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).chain(USUAL.map(PathBuf::from)).collect();
    let found = names
        .iter()
        .find_map(|name| programs::in_folders(folders.iter().cloned(), OsStr::new(name)));
    found.ok_or_else(|| HarnessError::ProgramNotFound {
        program: names.join("` or `"),
        looked_in: format!("PATH, {}", USUAL.join(", ")),
    })
}
