//! Servers in containers, kept by a helper program so that neither the harness nor xtask brings a client of a container
//! engine.

mod helper;
mod server;

pub mod protocol;

pub(crate) use server::{ContainerServer, chosen_image};
