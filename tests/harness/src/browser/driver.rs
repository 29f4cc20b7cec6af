//! A browser's driver: what takes WebDriver commands.

use std::process::Command;
use std::time::Duration;

use crate::browser::BrowserBinaries;
use crate::{ChildProcess, HarnessError, Scratch, process_tree};

/// How long the driver may take to come up.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A browser that a test drives by WebDriver (<https://www.w3.org/TR/webdriver2/>), on the loopback. The driver, and all
/// browsers and profiles that it made, are gone when the value is dropped or the test process ends.
#[derive(Debug)]
pub struct Browser {
    process: ChildProcess,
    binaries: BrowserBinaries,
    port: u16,
    profiles: Scratch,
}

/// How large a browser's window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// 1,280 by 900 pixels.
    Desktop,
    /// 390 by 844 pixels of a phone, with touch instead of a mouse.
    Phone,
}

impl Browser {
    /// Starts the driver; browsers are started by its sessions.
    ///
    /// # Errors
    ///
    /// When there is no browser on the machine, or the driver doesn't come up; its log is quoted.
    pub fn start() -> Result<Self, HarnessError> {
        let binaries = BrowserBinaries::find()?;
        let profiles = Scratch::new()?;
        let mut command = Command::new(binaries.driver());
        // Whatever it and its browsers keep goes with the folder.
        command.arg("--port=0");
        for variable in ["TMPDIR", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(variable, profiles.path());
        }
        let mut process = ChildProcess::spawn(command)?;
        let line = process.line_where(READY_WITHIN, |line| line.contains("started successfully on port"))?;
        let port = line
            .rsplit(' ')
            .next()
            .and_then(|port| port.trim_end_matches('.').parse().ok());
        let port = port.ok_or_else(|| HarnessError::BadInput(format!("no port in {line:?}")))?;
        Ok(Self {
            process,
            binaries,
            port,
            profiles,
        })
    }

    /// `http://…`, where a client of WebDriver connects to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a session has to ask for to get a browser with such a window, as JSON: the capabilities of a new session. Its
    /// console is kept for `goog:loggingPrefs`'s `browser` log.
    pub fn capabilities(&self, window: Window) -> String {
        // As root there is no sandbox, and containers have little shared memory. Nothing but the loopback is asked.
        let mut arguments = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            // Its handler would leave the tree of processes, and outlive the browser for a moment.
            "--disable-breakpad",
            "--disable-crash-reporter",
            "--no-first-run",
            // A page that scrolls smoothly has not arrived yet where a click is sent to.
            "--force-prefers-reduced-motion",
            "--force-color-profile=srgb",
        ];
        let mut options = String::new();
        match window {
            Window::Desktop => arguments.push("--window-size=1280,900"),
            Window::Phone => options.push_str(
                r#", "mobileEmulation": {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": true}}"#,
            ),
        }
        let arguments = arguments.join(r#"", ""#);
        format!(
            r#"{{"browserName": "chrome", "goog:loggingPrefs": {{"browser": "ALL"}},
                "goog:chromeOptions": {{"binary": "{}", "args": ["{arguments}"]{options}}}}}"#,
            self.binaries.browser().display()
        )
    }

    /// Process id of the driver.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The folder that the driver and its browsers write to.
    pub fn folder(&self) -> &std::path::Path {
        self.profiles.path()
    }

    /// The end of the driver's log.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}

/// Before the folder goes, everybody does who could still write to it: browsers have helpers that leave the tree.
impl Drop for Browser {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure.
        let _ = self.process.kill9();
        process_tree::kill_marked(self.profiles.path().as_os_str().as_encoded_bytes());
    }
}
