//! Confirmation: what was confirmed was handled, and what is not is sent again, or listed as given up.

mod crashes;
mod loops;
mod support;
mod sweeping;
mod waiting;
