//! To whom a container belongs, so that those of killed helpers can be swept.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result};
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;

/// The label that names the owner.
pub(crate) const LABEL: &str = "outbox-test-owner";

/// This process, told apart from those of other machines, of other process namespaces and of later times.
pub(crate) fn this_process() -> Result<String> {
    let pid = std::process::id();
    let started = started(pid).context("/proc doesn't know this process")?;
    Ok(format!("{} {pid} {started}", realm()?))
}

/// Removes the containers of helpers on this machine that are gone.
pub(crate) async fn sweep() -> Result<()> {
    let docker = docker_client_instance().await?;
    let filters = HashMap::from([("label", vec![LABEL])]);
    let listed = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let realm = realm()?;
    for container in docker.list_containers(Some(listed)).await? {
        let owner = container.labels.and_then(|labels| labels.get(LABEL).cloned());
        if let (Some(id), Some(owner)) = (container.id, owner)
            && is_gone(&owner, &realm)
        {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            // Another helper may be sweeping, too.
            let _ = docker.remove_container(&id, Some(options)).await;
        }
    }
    Ok(())
}

/// Only an owner of our own realm can be seen to be gone.
fn is_gone(owner: &str, realm: &str) -> bool {
    let process = owner
        .strip_prefix(realm)
        .and_then(|rest| rest.trim_start().split_once(' '));
    process
        .and_then(|(pid, then)| Some((pid.parse().ok()?, then)))
        .is_some_and(|(pid, then)| started(pid).as_deref() != Some(then))
}

/// One boot of one machine, and one namespace of processes there.
fn realm() -> Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("this boot has no id")?;
    let namespace = fs::read_link("/proc/self/ns/pid").context("this process has no namespace")?;
    Ok(format!("{} {}", boot.trim(), namespace.display()))
}

/// When the process started, in ticks since the boot; see proc_pid_stat(5).
fn started(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_and_the_far_are_not_swept() {
        let (owner, realm) = (this_process().unwrap(), realm().unwrap());
        assert!(!is_gone(&owner, &realm));
        assert!(!is_gone("another-boot pid:[1] 1 1", &realm));
        assert!(is_gone(&format!("{realm} {} 1", std::process::id()), &realm));
    }
}
