//! One suite of guarantees for every queue with consumer groups. A file is one promise.
//!
//! A test says what it needs of a backend beyond what all of them do by `Features`; a further backend joins by a
//! line in `support`.

#[macro_use]
pub mod support;

mod dead;
mod delay;
mod delivery;
mod growth;
mod identity;
mod limits;
mod members;
mod order;
mod pause;
mod places;
mod redelivery;
mod restart;
mod retention;
