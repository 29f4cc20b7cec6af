//! A browser for tests.

use super::{LeftOut, or_leave_out, program};
use crate::browser::{Browser, BrowserBinaries};

/// A browser for this test alone. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When a browser is installed but its driver doesn't start; and, outside of `cargo xtask test`, when none is installed.
pub fn browser() -> Option<Browser> {
    or_leave_out(browser_programs())?;
    Some(Browser::start().unwrap_or_else(|error| panic!("no browser for this test: {error}")))
}

/// The browser that there is.
///
/// # Errors
///
/// When there is none.
pub fn browser_programs() -> Result<BrowserBinaries, LeftOut> {
    program("browser", BrowserBinaries::find())
}
