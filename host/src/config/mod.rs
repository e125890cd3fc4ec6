//! From text to a [`Config`] that is valid by construction, with every problem of all files reported at once.
//!
//! text -> TOML with places -> `${...}` put in -> validated against the schema of the raw types -> resolved. A stage
//! that finds problems does not keep the next one from looking for more.

mod amount;
mod assets;
mod document;
mod explain;
mod field;
mod files;
mod model;
mod pattern;
mod places;
mod problem;
mod quantity;
mod raw;
mod resolve;
mod schema;
mod similar;
mod substitute;
mod value;
mod watch;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::path::Path;

pub(crate) use assets::Assets;
pub(crate) use model::{
    AccessLog, Capability, CircuitSettings, ClientAuth, Config, Consumer, Destination, DotSegments,
    Durability, EmptySegments, FileFormat, HttpFormat, Isolation, Key, KeyMaterial, KeySet, KeySource,
    Ledger, LedgerLocation, Limits, Listener, ListenerTimeouts, ListenerTls, LogFormat, OnError,
    OnLedgerFailure, OnStoreError, PathRules, Plugin, Protocols, RemoteStore, Route, Secret, Serve,
    SignatureKey, SinkKind, Store, Target, Telemetry, Token, UnknownSni, Upstream, UpstreamProtocol,
};
#[cfg(test)]
pub(crate) use model::{Cache, ListenerLimits, Reload, UpstreamTimeouts};
pub(crate) use pattern::{HostPattern, PathPattern, RouteMatch, Segment};
pub(crate) use problem::{Place, Problem, Problems};
pub(crate) use resolve::{Doubts, Known, can_be_sent, is_name, is_time};
pub(crate) use schema::{Language, schema};
pub(crate) use similar::{closest, known};
pub(crate) use substitute::{Environment, ProcessEnvironment};
pub(crate) use value::ConfigValue;
pub(crate) use watch::Watcher;

/// A configuration that is not in order: what is wrong with it, and what could be read nevertheless.
pub(crate) struct Partial {
    pub(crate) problems: Problems,
    /// Only to be looked at: what had problems is missing in it, or as if it had not been written.
    pub(crate) config: Option<Config>,
    pub(crate) known: Known,
}

/// Reads a configuration file and everything that it includes.
pub(crate) fn load(path: &Path, env: &dyn Environment) -> Result<Config, Problems> {
    read(path, env).map_err(|partial| partial.problems)
}

/// As [`load`], with a language that was made before: that takes longer than all the rest.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn load_in(language: &Language, path: &Path, env: &dyn Environment) -> Result<Config, Problems> {
    read_in(language, path, env).map_err(|partial| partial.problems)
}

/// As [`load`]; what could be read of a file with problems can be examined for more of them.
pub(crate) fn read(path: &Path, env: &dyn Environment) -> Result<Config, Box<Partial>> {
    read_in(&Language::new(), path, env)
}

fn read_in(language: &Language, path: &Path, env: &dyn Environment) -> Result<Config, Box<Partial>> {
    let mut problems = Problems::default();
    let mut files = files::read(path, env, &mut problems);
    for document in &mut files.documents {
        for finding in language.check(&document.json, &document.places) {
            let missing = matches!(finding.kind, explain::Kind::Missing(_));
            let doubtful = document.damaged && missing;
            if !doubtful && !document.is_within_faulty(&finding.pointer) {
                problems.push(finding.problem);
            }
            document.faulty.insert(finding.pointer);
        }
    }
    let (config, known) = resolve::resolve(&files, &mut problems);
    problems.set_files(files.watched);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        config => Err(Box::new(Partial { problems, config, known })),
    }
}
