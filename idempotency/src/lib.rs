//! Does a thing once, however often it is asked for.
//!
//! The [`lock`] stops the common, short-lived duplicate cheaply. It may forget, grant twice or be away; nothing may
//! depend on it for being right.

pub mod lock;
