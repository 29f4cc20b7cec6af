//! The configuration: what can be set ([`SETTINGS`]), what was said of it in the file, the environment and on the command line, and what
//! of that counts.

mod error;
mod file;
mod layers;
mod origin;
mod routes;
mod setting;
mod show;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use outbox_core::relay::RelayConfig;

pub use error::{ConfigError, ConfigErrors};
pub use origin::Origin;
pub use routes::Routes;
pub use setting::{Kind, PREFIX, SETTINGS, Setting};
pub use show::Shown;

use layers::Layers;
use values::Values;

/// A configuration that can be.
#[derive(Clone)]
pub struct Config {
    /// The database with the outbox.
    pub database_url: String,
    /// URLs of brokers by their names.
    pub brokers: BTreeMap<String, String>,
    /// Which topics go where.
    pub routes: Routes,
    /// How the relay works.
    pub relay: RelayConfig,
    /// What is logged, in the words of `tracing`'s filters.
    pub log_filter: String,
    /// Whether it is logged as JSON.
    pub log_json: bool,
}

/// What a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To deliver: there has to be everything.
    Deliver,
    /// To look after the database: brokers may be missing.
    Database,
}

/// What was said of the settings, by whom. Nothing is read here that is not handed in.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// A file and its text.
    pub file: Option<(&'a Path, &'a str)>,
    /// The variables of the environment; those that don't begin with [`PREFIX`] are passed over.
    pub environment: Vec<(String, String)>,
    /// Values of the command line by the key of their setting.
    pub flags: Vec<(&'static Setting, Vec<String>)>,
}

impl Sources<'_> {
    /// The configuration, and how it is shown.
    ///
    /// # Errors
    /// All that is wrong with it, each with the name of the setting, its value, where it was said, and what to do.
    pub fn read(self, purpose: Purpose) -> Result<(Config, Shown), ConfigErrors> {
        let mut layers = Layers::default();
        if let Some((path, text)) = self.file {
            file::read(path, text, &mut layers);
        }
        layers.environment(self.environment);
        for (setting, texts) in self.flags {
            layers.give_texts(setting, &texts, Origin::Flag(setting.flag()));
        }
        let mut values = Values::of(layers);
        let config = config(&mut values, purpose);
        match values.errors.is_empty() {
            true => Ok((config, Shown::of(&values))),
            false => Err(ConfigErrors(values.errors)),
        }
    }
}

/// What the values mean together. Where something is wrong, that is noted and the rest read all the same.
fn config(values: &mut Values, purpose: Purpose) -> Config {
    let missing = |values: &Values, key: &'static str| {
        let was_wrong = values
            .errors
            .iter()
            .any(|error| error.key == key || error.key.starts_with(&format!("{key}.")));
        (!was_wrong).then(|| {
            let setting = Setting::of(key);
            let (variable, flag) = setting.map(|s| (s.variable(), s.flag())).unwrap_or_default();
            values.wrong(
                key,
                format!("it is missing: say it in the file, as {variable}, or with --{flag}"),
            )
        })
    };
    let mut errors = Vec::new();
    if values.text("database.url").is_none() {
        errors.extend(missing(values, "database.url"));
    }
    let brokers: BTreeMap<String, String> = values.pairs("brokers").iter().cloned().collect();
    if brokers.is_empty() && purpose == Purpose::Deliver {
        errors.extend(missing(values, "brokers"));
    }
    let routes = routes(values, &brokers, &mut errors);
    let mut relay = RelayConfig::default();
    if let Some(name) = values.text("relay.name") {
        relay.name = name.to_owned();
    }
    let rows = |key| usize::try_from(values.number(key)).unwrap_or(usize::MAX);
    relay.lease = values.time("relay.lease");
    relay.publish_timeout = values.time("relay.publish_timeout");
    relay.drain_timeout = values.time("relay.drain_timeout");
    relay.poll_busy = values.time("relay.poll_busy");
    relay.poll_idle = values.time("relay.poll_idle");
    relay.page_rows = rows("relay.page_rows");
    relay.window.rows = rows("relay.window_rows");
    // They follow: a small window has no more due rows, and one key no more of it.
    relay.due_rows = relay.due_rows.min(relay.window.rows);
    relay.window.key_rows = relay.window.key_rows.min(relay.window.rows);
    relay.archive = values.switch("relay.archive");
    for (key, other, is_wrong, problem) in [
        (
            "relay.publish_timeout",
            "relay.lease",
            relay.publish_timeout >= relay.lease,
            format!(
                "it has to be shorter than relay.lease ({:?}), or a publish could outlive the lease on its shard",
                relay.lease
            ),
        ),
        (
            "relay.page_rows",
            "relay.window_rows",
            relay.page_rows > relay.window.rows,
            format!("it can't be more than relay.window_rows ({})", relay.window.rows),
        ),
    ] {
        // One that is wrong by itself says nothing of the other.
        if is_wrong && values.text(key).is_some() && values.text(other).is_some() {
            errors.push(values.wrong(key, problem));
        }
    }
    if errors.is_empty()
        && values.errors.is_empty()
        && let Err(error) = relay.check()
    {
        errors.push(values.wrong("relay.name", error.to_string()));
    }
    let config = Config {
        database_url: values.text("database.url").unwrap_or_default().to_owned(),
        brokers,
        routes,
        relay,
        log_filter: values.text("log.filter").unwrap_or_default().to_owned(),
        log_json: values.text("log.format") == Some("json"),
    };
    values.errors.extend(errors);
    config
}

fn routes(values: &Values, brokers: &BTreeMap<String, String>, errors: &mut Vec<ConfigError>) -> Routes {
    let pairs = values.pairs("routes");
    let routes = match (pairs, brokers.first_key_value()) {
        ([], Some((only, _))) if brokers.len() == 1 => Routes::all_to(only),
        _ => Routes::of(pairs.iter().map(|(pattern, broker)| (&**pattern, &**broker))),
    };
    if brokers.is_empty() {
        return routes;
    }
    let known: Vec<&str> = brokers.keys().map(String::as_str).collect();
    let known = known.join(", ");
    for (pattern, broker) in pairs.iter().filter(|(_, broker)| !brokers.contains_key(broker)) {
        let error = values.wrong(
            "routes",
            format!("there is no broker {broker:?}; there are {known}"),
        );
        errors.push(ConfigError {
            key: format!("routes.{pattern}"),
            value: Some(broker.clone()),
            ..error
        });
    }
    let used: BTreeSet<&str> = routes.brokers().collect();
    for unused in brokers.keys().filter(|name| !used.contains(name.as_str())) {
        errors.push(values.wrong(
            "routes",
            format!("nothing goes to the broker {unused:?}: give it a route, or leave it out"),
        ));
    }
    routes
}

/// Without URLs, which may hold passwords.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("brokers", &self.brokers.keys())
            .field("routes", &self.routes)
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}
