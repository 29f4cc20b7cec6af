//! What can be done on the page.

pub(super) mod dead_letters;
pub(super) mod faults;
pub(super) mod orders;
pub(super) mod stock;
