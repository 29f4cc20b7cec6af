//! The helper that keeps servers in containers, built only where there is an engine to use it with.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use outbox_test_harness::container::ContainerImage;
use outbox_test_harness::environment;

use crate::{engine, workspace};

const PACKAGE: &str = "outbox-test-containers";

/// Set to this, [`environment::CONTAINERS`] keeps us from asking for an engine.
const OFF: &str = "0";

/// Where servers in containers come from.
#[derive(Debug)]
pub(crate) struct Containers {
    helper: Result<PathBuf, String>,
}

impl Containers {
    /// Looks for an engine and, if one answers, builds the helper. Says what it found on standard error.
    pub(crate) fn find() -> Result<Self> {
        let set = env::var(environment::CONTAINERS)
            .ok()
            .filter(|value| !value.is_empty());
        let helper = match set.as_deref() {
            Some(OFF) => Err(format!("{}={OFF}", environment::CONTAINERS)),
            Some(path) => Ok(PathBuf::from(path)),
            None => match engine::find() {
                Ok(engine) => {
                    eprintln!("A container engine answers at {engine}.");
                    Ok(build()?)
                }
                Err(error) => Err(format!("{error:#}")),
            },
        };
        if let Err(reason) = &helper {
            eprintln!("No containers: {reason}.");
        }
        Ok(Self { helper })
    }

    /// An image and what it takes to run it; an error says why there are no containers.
    pub(crate) fn image(&self, image: &str) -> Result<ContainerImage, &str> {
        let helper = self.helper.as_ref().map_err(String::as_str)?;
        Ok(ContainerImage {
            helper: helper.clone(),
            image: image.to_owned(),
        })
    }

    /// For the tests: the helper's path, or that there is none.
    pub(crate) fn variable(&self) -> (&'static str, PathBuf) {
        let helper = self.helper.as_ref();
        (
            environment::CONTAINERS,
            helper.map_or_else(|_| PathBuf::from(OFF), Clone::clone),
        )
    }
}

/// Cargo puts it beside the program that runs now.
fn build() -> Result<PathBuf> {
    let built = workspace::cargo()
        .args(["build", "--quiet", "--package", PACKAGE])
        .status()
        .context("can't run cargo")?;
    ensure!(built.success(), "{PACKAGE} doesn't compile");
    let ours = env::current_exe().context("can't tell where this program is")?;
    Ok(ours.with_file_name(PACKAGE))
}
