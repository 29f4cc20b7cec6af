//! A browser for a test run. Each test starts its own.

use outbox_test_harness::requirement;

use super::install;

/// The browser, its driver, and letters to show.
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-dejavu-core"];

/// Installs what is missing, if it may.
pub(super) fn provide() {
    if requirement::browser_programs().is_err() {
        install("Chromium", &PACKAGES);
    }
}

/// Says what there is.
pub(super) fn say() {
    match requirement::browser_programs() {
        Ok(found) => println!("  Browser: {} at {}", found.version(), found.browser().display()),
        Err(missing) => println!("  Browser: none ({})", missing.reason),
    }
}
