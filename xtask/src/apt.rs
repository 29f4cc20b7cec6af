//! Installs server programs on Debian and its kin, when we may.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Debian asks this program whether a package may start its service: 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Why nothing can be installed here; `None` when it can.
pub(crate) fn obstacle() -> Option<&'static str> {
    // The owner of our own process's folder is the user we run as.
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !Path::new("/etc/debian_version").exists() {
        Some("only on Debian and Ubuntu are packages installed by this command")
    } else if !is_root {
        Some("installing packages needs root")
    } else {
        None
    }
}

/// Installs the packages without starting their services: the tests start servers of their own.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    eprintln!("Installing {} (apt-get, as root) …", packages.join(", "));
    let _no_services = NoServices::hold()?;
    apt_get(&["update", "-q"])?;
    apt_get(&[&["install", "-q", "-y", "--no-install-recommends"], packages].concat())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    // Its talk is noise unless it fails.
    let output = command.output().context("apt-get can't be run")?;
    if !output.status.success() {
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        bail!(
            "apt-get {} failed with {}:\n{stdout}{stderr}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(())
}

/// While held, packages don't start services. One that is there already (as in containers) is left as it is.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn hold() -> Result<Self> {
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(POLICY)
        {
            Ok(mut file) => {
                let held = Self { ours: true };
                file.write_all(b"#!/bin/sh\nexit 101\n")
                    .with_context(|| format!("can't write {POLICY}"))?;
                Ok(held)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self { ours: false }),
            Err(error) => Err(error).with_context(|| format!("can't write {POLICY}")),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
