//! The log: on standard error, `RUST_LOG` says how much of it.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// What is logged unless `RUST_LOG` says otherwise.
pub const SERVE: &str = "info,sqlx=warn";
/// The demo shows a summary, and of the log only what went wrong. (Its audit reads all tables, which may well be slow.)
pub const DEMO: &str = "warn,sqlx::query=error";

/// Starts to log: as JSON, a line each, or as text for people.
pub fn start(json: bool, default: &str) {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = match wanted.as_str() {
        "" => EnvFilter::new(default),
        wanted => EnvFilter::new(wanted),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    // Fails when somebody else has set a log up already, and then that one is used.
    let _ = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
}
