//! Which container a server is to run in.

use std::path::PathBuf;

use crate::container::protocol::Kind;
use crate::environment;

/// An image, and the helper that starts containers from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerImage {
    /// The program of `tests/containers`.
    pub helper: PathBuf,
    /// Image and tag, as in `postgres:17`.
    pub image: String,
}

impl ContainerImage {
    /// What the environment asks for ([`environment::CONTAINERS`] and the image for this kind of server); `None` where
    /// servers don't come from containers.
    pub fn chosen(kind: Kind) -> Option<Self> {
        let helper = environment::non_empty(environment::CONTAINERS).filter(|path| path != "0")?;
        let image = environment::non_empty(match kind {
            Kind::Postgres => environment::POSTGRES_IMAGE,
            Kind::Mysql => environment::MYSQL_IMAGE,
            Kind::Redis => environment::REDIS_IMAGE,
        })?;
        Some(Self {
            helper: helper.into(),
            image,
        })
    }
}
