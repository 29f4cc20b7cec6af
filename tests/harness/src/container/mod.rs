//! Servers in containers, kept by a helper program so that neither the harness nor xtask brings a client of a container
//! engine.

mod helper;
mod image;
mod server;

pub mod protocol;

pub use image::ContainerImage;
pub(crate) use server::ContainerServer;
