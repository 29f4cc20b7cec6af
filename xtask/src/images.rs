//! Which images servers are started from.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use outbox_test_harness::container::protocol::Kind;
use outbox_test_harness::environment;

use crate::workspace;

/// The one place that names them.
const LIST: &str = "tests/containers/images.toml";

/// The images of one kind of server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Images {
    pub(crate) default: String,
    pub(crate) matrix: Vec<String>,
}

impl Images {
    pub(crate) fn of(kind: Kind) -> Result<Self> {
        Self::read(&workspace::root().join(LIST), kind)
    }

    fn read(path: &Path, kind: Kind) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
        Self::parse(&text, kind).with_context(|| format!("{} can't be used", path.display()))
    }

    fn parse(text: &str, kind: Kind) -> Result<Self> {
        let table: toml::Table = text.parse()?;
        let section = table
            .get(&kind.to_string())
            .with_context(|| format!("there is no [{kind}]"))?;
        let default = section
            .get("default")
            .and_then(toml::Value::as_str)
            .context("`default` is missing")?;
        let matrix = section
            .get("matrix")
            .and_then(toml::Value::as_array)
            .context("`matrix` is missing")?;
        let matrix: Option<Vec<String>> = matrix
            .iter()
            .map(|image| image.as_str().map(str::to_owned))
            .collect();
        Ok(Self {
            default: default.to_owned(),
            matrix: matrix.context("`matrix` must hold names")?,
        })
    }

    /// What a plain run uses: the user's choice or the default.
    pub(crate) fn plain(kind: Kind) -> Result<String> {
        named(kind).map_or_else(|| Self::of(kind).map(|images| images.default), Ok)
    }
}

/// Whether the user chose the image.
pub(crate) fn is_named(kind: Kind) -> bool {
    named(kind).is_some()
}

fn named(kind: Kind) -> Option<String> {
    std::env::var(variable(kind))
        .ok()
        .filter(|image| !image.is_empty())
}

/// By which variable tests learn the image.
pub(crate) fn variable(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => environment::POSTGRES_IMAGE,
        Kind::Mysql => environment::MYSQL_IMAGE,
        Kind::Redis => environment::REDIS_IMAGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_develop_against_what_tests_run_on() {
        let compose = fs::read_to_string(workspace::root().join("compose.yaml")).unwrap();
        for kind in [Kind::Postgres, Kind::Mysql, Kind::Redis] {
            let line = format!("image: {}\n", Images::of(kind).unwrap().default);
            assert!(compose.contains(&line), "compose.yaml lacks {line}");
        }
    }

    #[test]
    fn the_list_has_every_kind_and_its_default_is_in_the_matrix() {
        for kind in [Kind::Postgres, Kind::Mysql, Kind::Redis] {
            let images = Images::of(kind).unwrap();
            assert!(images.matrix.contains(&images.default), "{images:?}");
        }
        assert!(Images::parse("[postgres]\ndefault = \"p\"\nmatrix = [1]", Kind::Postgres).is_err());
        assert!(Images::parse("", Kind::Mysql).is_err());
    }
}
