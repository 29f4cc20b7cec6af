//! A browser for tests, without a screen.

mod binaries;
mod driver;

pub use binaries::BrowserBinaries;
pub use driver::{Browser, Window};
