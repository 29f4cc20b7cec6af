//! A server that tests share, and where servers of its kind come from that tests may kill.

use std::env;
use std::ffi::OsString;

use anyhow::{Context, Result};
use outbox_test_harness::container::ContainerImage;
use outbox_test_harness::container::protocol::Kind;
use outbox_test_harness::mysql::without_password;

use crate::containers::Containers;
use crate::images::{self, Images};

/// What there is of one kind.
#[derive(Debug)]
pub(crate) struct Shared<S> {
    kind: Kind,
    variable: &'static str,
    url: Option<String>,
    /// From which servers that tests may kill are started; `None`: from programs, if there are any.
    pub(crate) image: Option<String>,
    // Ends with this value.
    _started: Option<S>,
    // What to tell people.
    lines: Vec<String>,
}

impl<S> Shared<S> {
    pub(crate) fn say(&self) {
        for line in &self.lines {
            println!("  {line}");
        }
    }

    /// How tests find it. An image that can't be had is taken away from them.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let image = self.image.clone().unwrap_or_default();
        let mut variables = vec![(images::variable(self.kind), image.into())];
        variables.extend(self.url.clone().map(|url| (self.variable, url.into())));
        variables
    }
}

/// A running server, and what it says of itself.
pub(crate) struct Started<S> {
    pub(crate) server: S,
    pub(crate) version: String,
    pub(crate) url: String,
}

/// How servers of one kind are had.
pub(crate) struct Supply<'a, S> {
    pub(crate) kind: Kind,
    /// For people.
    pub(crate) name: &'a str,
    /// The variable in which the user may name one, and in which tests find one.
    pub(crate) variable: &'static str,
    /// Starts one that tests share: from an image, or from programs.
    pub(crate) start: &'a dyn Fn(Option<ContainerImage>) -> Result<Started<S>>,
    /// Whether tests could use the server of that URL.
    pub(crate) check: &'a dyn Fn(&str) -> Result<()>,
    /// Installs what is missing; whether server programs are needed is said by the argument.
    pub(crate) install: &'a dyn Fn(bool),
    /// Version and place of the server's programs.
    pub(crate) programs: &'a dyn Fn() -> Result<String>,
    /// Where the client is; `None` where tests need none.
    pub(crate) client: Option<&'a dyn Fn() -> Result<String>>,
}

impl<S> Supply<'_, S> {
    /// A URL from the environment, else a container, else programs.
    pub(crate) fn provide(&self, containers: &Containers) -> Result<Shared<S>> {
        let mut lines = Vec::new();
        let given = env::var(self.variable).ok().filter(|url| !url.is_empty());
        let contained = self.contained(containers, &mut lines)?;
        let image = contained.as_ref().map(|(image, _)| image.clone());
        (self.install)(image.is_none());
        let programs = (self.programs)();
        let (url, started) = match (given, contained) {
            (Some(url), _) => {
                let shown = without_password(&url);
                // A server that the user named must work: falling back to another one would hide the mistake.
                (self.check)(&url).with_context(|| {
                    format!(
                        "{} is set to {shown}, but tests can't use that server",
                        self.variable
                    )
                })?;
                lines.push(format!("{}: {shown}, from {}", self.name, self.variable));
                (Some(url), None)
            }
            (None, Some((_, started))) => (Some(started.url.clone()), Some(started)),
            (None, None) if programs.is_ok() => {
                let started = (self.start)(None)
                    .with_context(|| format!("{} is installed but doesn't start", self.name))?;
                (Some(started.url.clone()), Some(started))
            }
            (None, None) => (None, None),
        };
        if let Some(started) = &started {
            lines.push(format!(
                "{}: {}, started for this run at {}",
                self.name, started.version, started.url
            ));
        }
        lines.push(match (&image, programs) {
            (Some(image), _) => format!("{} that tests may kill: containers of {image}", self.name),
            (None, Ok(programs)) => format!("{} that tests may kill: {programs}", self.name),
            (None, Err(error)) => format!("{}: none; {error:#}", self.name),
        });
        lines.extend(self.client.map(|client| match client() {
            Ok(client) => format!("{}'s client: {client}", self.name),
            Err(error) => format!("{}'s client: none; {error:#}", self.name),
        }));
        Ok(self.shared(url, image, started, lines))
    }

    /// One in a container of this image, in place of what there is.
    pub(crate) fn in_image(&self, containers: &Containers, image: &str) -> Result<Shared<S>> {
        let container = containers
            .image(image)
            .map_err(|reason| anyhow::anyhow!("{reason}"))?;
        let started = (self.start)(Some(container))?;
        Ok(self.shared(
            Some(started.url.clone()),
            Some(image.to_owned()),
            Some(started),
            Vec::new(),
        ))
    }

    /// An image and a server from it, where there is an engine. An image that can't be had is an error when the user
    /// named it, and else a reason to look for programs.
    fn contained(
        &self,
        containers: &Containers,
        lines: &mut Vec<String>,
    ) -> Result<Option<(String, Started<S>)>> {
        let image = Images::plain(self.kind)?;
        let Ok(container) = containers.image(&image) else {
            return Ok(None);
        };
        eprintln!("{}: starting {image} in a container …", self.name);
        match (self.start)(Some(container)) {
            Ok(started) => Ok(Some((image, started))),
            Err(error) if images::is_named(self.kind) => Err(error),
            Err(error) => {
                lines.push(format!("{} in a container: none; {error:#}", self.name));
                Ok(None)
            }
        }
    }

    fn shared(
        &self,
        url: Option<String>,
        image: Option<String>,
        started: Option<Started<S>>,
        lines: Vec<String>,
    ) -> Shared<S> {
        Shared {
            kind: self.kind,
            variable: self.variable,
            url,
            image,
            _started: started.map(|started| started.server),
            lines,
        }
    }
}
