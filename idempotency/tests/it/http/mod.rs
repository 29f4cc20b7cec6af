//! What the two forms of idempotent requests promise, on each database.

mod databases;
mod layer;
mod refusals;
mod support;
mod transactional;
