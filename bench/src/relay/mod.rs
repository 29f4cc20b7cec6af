//! Running our relay under observation.

mod metered;
mod running;
mod sink;
mod timer;

pub(crate) use metered::Meter;
pub(crate) use running::{Running, Setup};
pub(crate) use sink::{Seen, Sink};
