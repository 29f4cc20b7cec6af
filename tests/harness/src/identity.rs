//! As whom a process runs, and that it dies with its parent.

use std::process::Command;

use nix::unistd::{Uid, User, chown};

use crate::{HarnessError, programs};

/// As whom a server runs when the tests run as root and the server's own user doesn't exist.
const NOBODY: &str = "nobody";

/// As whom a process runs.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// As whoever runs the tests.
    Same,
    /// As another user; only root can ask for this.
    Other(User),
}

impl Identity {
    /// Database servers refuse to run as root, so root steps down to the server's own user, or to one without any
    /// privileges.
    pub(crate) fn for_server(own_user: &'static str) -> Result<Self, HarnessError> {
        if !Uid::effective().is_root() {
            return Ok(Self::Same);
        }
        [own_user, NOBODY]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(Self::Other)
            .ok_or(HarnessError::NoUserForServers { own_user })
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
