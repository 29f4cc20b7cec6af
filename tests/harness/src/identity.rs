//! As whom a process runs, and that it dies with its parent.

use std::process::Command;

use nix::unistd::{Uid, User, chown};

use crate::{HarnessError, programs};

/// Users that a server may run as when the tests run as root, in order of preference.
const SERVER_USERS: [&str; 2] = ["postgres", "nobody"];

/// As whom a process runs.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// As whoever runs the tests.
    Same,
    /// As another user; only root can ask for this.
    Other(User),
}

impl Identity {
    /// PostgreSQL refuses to run as root, so root steps down to a user without privileges.
    pub(crate) fn for_servers() -> Result<Self, HarnessError> {
        if !Uid::effective().is_root() {
            return Ok(Self::Same);
        }
        SERVER_USERS
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(Self::Other)
            .ok_or(HarnessError::NoUserForServers)
    }

    /// Gives the path to this identity.
    pub(crate) fn own(&self, path: &std::path::Path) -> Result<(), HarnessError> {
        match self {
            Self::Same => Ok(()),
            Self::Other(user) => chown(path, Some(user.uid), Some(user.gid)).map_err(|errno| {
                HarnessError::io(format!("give {} to user {}", path.display(), user.name))(errno.into())
            }),
        }
    }

    /// The same command, run as this identity and killed when the process that started it ends.
    ///
    /// Carries over program, arguments, changed environment variables and working directory. `env_clear` can't be
    /// seen from outside of a `Command` and is lost.
    pub(crate) fn wrap(&self, command: &Command) -> Result<Command, HarnessError> {
        let program = programs::find(command.get_program())?;
        let mut wrapped = Command::new(programs::find("setpriv".as_ref())?);
        wrapped.args(["--pdeathsig", "KILL"]);
        if let Self::Other(user) = self {
            wrapped.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)]);
            wrapped.arg("--clear-groups");
        }
        wrapped.arg("--").arg(program).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            wrapped.current_dir(folder);
        }
        Ok(wrapped)
    }
}
