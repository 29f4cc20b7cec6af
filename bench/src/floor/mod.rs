//! What is possible on this machine and this database without any framework: the shortest code that does the same
//! work, written by hand with sqlx. Each scenario measures it in turn with ours.

pub(crate) mod broker;
pub(crate) mod drain;
pub(crate) mod insert;
pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod notify;
