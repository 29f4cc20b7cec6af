//! The one container.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use outbox_test_harness::container::protocol::State;
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{KillContainerOptionsBuilder, LogsOptionsBuilder};
use testcontainers::core::IntoContainerPort;
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use crate::arguments::Arguments;
use crate::owner;
use crate::recipe::Recipe;

/// How long the engine waits for a shutdown in order before it kills.
const STOP_WITHIN_SECONDS: i32 = 60;

/// How long the engine may take to see that a killed container is gone.
const KILL_TAKES_AT_MOST: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(5);

/// How much of a log is passed on.
const LOG_LINES: &str = "200";

/// A container and the engine that runs it.
pub(crate) struct Container {
    container: ContainerAsync<GenericImage>,
    docker: Docker,
    host: String,
}

impl Container {
    /// Pulls the image if need be and starts the container. Doesn't wait until the server answers: the harness knows
    /// how to ask it.
    pub(crate) async fn start(arguments: &Arguments) -> Result<Self> {
        let (name, tag) = split(&arguments.image);
        let recipe = Recipe::of(arguments.kind, &arguments.settings);
        let mut request = GenericImage::new(name, tag)
            .with_mapped_port(arguments.port, recipe.port.tcp())
            .with_label(owner::LABEL, owner::this_process()?)
            .with_cmd(recipe.command);
        for (variable, value) in recipe.environment {
            request = request.with_env_var(*variable, *value);
        }
        if is_engine_here() {
            request = request.with_host_config_modifier(|config| {
                let bindings = config
                    .port_bindings
                    .iter_mut()
                    .flat_map(|ports| ports.values_mut());
                for binding in bindings.flatten().flatten() {
                    binding.host_ip = Some("127.0.0.1".to_owned());
                }
            });
        }
        let container = request
            .start()
            .await
            .with_context(|| format!("{} can't be started in a container", arguments.image))?;
        let host = container.get_host().await?.to_string();
        Ok(Self {
            container,
            docker: docker_client_instance().await?,
            // The port is on IPv4's loopback alone.
            host: if host == "localhost" {
                "127.0.0.1".to_owned()
            } else {
                host
            },
        })
    }

    /// Where the port is.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) async fn start_again(&self) -> Result<String> {
        self.container.start().await?;
        Ok(String::new())
    }

    pub(crate) async fn stop(&self) -> Result<String> {
        self.container
            .stop_with_timeout(Some(STOP_WITHIN_SECONDS))
            .await?;
        Ok(String::new())
    }

    /// SIGKILL to all its processes at one moment; the engine does this to a paused container, too.
    pub(crate) async fn kill(&self) -> Result<String> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        self.docker
            .kill_container(self.container.id(), Some(options))
            .await?;
        let is_gone = async {
            while matches!(self.state().await?, State::Running(_)) {
                tokio::time::sleep(POLL).await;
            }
            Ok(String::new())
        };
        tokio::time::timeout(KILL_TAKES_AT_MOST, is_gone)
            .await
            .context("the killed container still runs")?
    }

    pub(crate) async fn pause(&self) -> Result<String> {
        self.container.pause().await?;
        Ok(String::new())
    }

    pub(crate) async fn unpause(&self) -> Result<String> {
        self.container.unpause().await?;
        Ok(String::new())
    }

    pub(crate) async fn state(&self) -> Result<State> {
        let seen = self.docker.inspect_container(self.container.id(), None).await?;
        let state = seen.state.context("the engine doesn't say whether it runs")?;
        let number = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
        if state.running == Some(true) {
            return Ok(State::Running(number(state.pid).unwrap_or_default()));
        }
        let code = state.exit_code.and_then(|code| u8::try_from(code).ok());
        Ok(State::Ended(code.unwrap_or(u8::MAX)))
    }

    /// The end of what the server printed.
    pub(crate) async fn log(&self) -> Result<String> {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .tail(LOG_LINES)
            .build();
        let mut chunks = self.docker.logs(self.container.id(), Some(options));
        let mut log = String::new();
        while let Some(chunk) = chunks.next().await {
            log += &String::from_utf8_lossy(&chunk?.into_bytes());
        }
        Ok(log)
    }

    /// Removes it with its data, in whichever state it is.
    pub(crate) async fn remove(self) -> Result<()> {
        let Err(error) = self.container.rm().await else {
            return Ok(());
        };
        bail!(error)
    }
}

/// Image and tag. A colon before a slash belongs to the registry's port.
fn split(image: &str) -> (&str, &str) {
    image
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
        .unwrap_or((image, "latest"))
}

/// Whether ports on the engine's loopback are on ours: not when it is reached over a network, nor from within a
/// container that was given the engine's socket.
fn is_engine_here() -> bool {
    let by_socket = std::env::var("DOCKER_HOST").map_or(true, |host| host.starts_with("unix://"));
    by_socket && !Path::new("/.dockerenv").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_tag() {
        assert_eq!(split("postgres:17"), ("postgres", "17"));
        assert_eq!(split("host:5000/postgres"), ("host:5000/postgres", "latest"));
        assert_eq!(split("host:5000/postgres:17"), ("host:5000/postgres", "17"));
    }
}
