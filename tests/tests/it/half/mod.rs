//! Half messages: commit ⇒ delivered once, rollback ⇒ never, undecided ⇒ asked after, and parked when nobody knows. A file is
//! one promise.

mod support;

mod check_back;
mod deciding;
mod killed_producer;
mod local_work;
mod one_transaction;
mod operators;
mod sweepers;
