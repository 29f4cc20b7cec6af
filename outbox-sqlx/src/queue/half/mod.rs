//! Half messages in the database, and the records of local work beside them.

mod ending;
mod local;
mod row;
mod store;

pub use local::{LocalRecordError, SqlLocalRecord};
