//! NATS for tests.

use super::{LeftOut, or_leave_out, program};
use crate::nats::{Nats, NatsBinaries, NatsOptions};

/// A server for this test alone, which it may kill, freeze and restart. `None`: the test is left out and that was written down.
///
/// # Panics
///
/// When a server is installed but doesn't start; and, outside of `cargo xtask test`, when none is installed.
pub fn private_nats(options: &NatsOptions) -> Option<Nats> {
    or_leave_out(nats_program())?;
    Some(Nats::start_with(options).unwrap_or_else(|error| panic!("no server for this test: {error}")))
}

/// The server that there is.
///
/// # Errors
///
/// When there is none.
pub fn nats_program() -> Result<NatsBinaries, LeftOut> {
    program("nats", NatsBinaries::find())
}
