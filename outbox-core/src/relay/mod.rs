//! placeholder
mod store;
pub use store::*;
