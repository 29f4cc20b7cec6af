//! Does a thing once, however often it is asked for.
//!
//! The [`lock`] stops the common, short-lived duplicate cheaply. It may forget, grant twice or be away; nothing may
//! depend on it for being right. What is right is decided by a unique index in the database of the effect.

pub mod lock;
