//! The command line.

use clap::Parser;
use outbox_test_harness::container::protocol::Kind;

/// Keeps one server in a container for as long as its standard input is open
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Which server: postgres, mysql or redis
    #[arg(long)]
    pub(crate) kind: Kind,

    /// Image and tag, as in postgres:17
    #[arg(long)]
    pub(crate) image: String,

    /// Port on this machine
    #[arg(long)]
    pub(crate) port: u16,

    /// A setting of the server (may be repeated)
    #[arg(long = "setting", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
}
