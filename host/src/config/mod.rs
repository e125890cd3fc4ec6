//! From text to a [`Config`] that is valid by construction, with every problem of all files reported at once.
//!
//! text -> TOML with places -> `${...}` put in -> validated against the schema of the raw types -> resolved. A stage
//! that finds problems does not keep the next one from looking for more.

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

pub(crate) use model::{
    AccessLog, Capability, CircuitSettings, Config, Consumer, Isolation, Key, KeyHash, Limits, Listener,
    ListenerTimeouts, LogFormat, OnError, Plugin, Route, Secret, Serve, Store, Target, Telemetry, Upstream,
};
#[cfg(test)]
pub(crate) use model::{Cache, ListenerLimits, Protocols, Reload, UpstreamTimeouts};
pub(crate) use pattern::{HostPattern, PathPattern, RouteMatch, Segment};
pub(crate) use problem::{Place, Problem, Problems};
pub(crate) use schema::schema;
pub(crate) use substitute::{Environment, ProcessEnvironment};
pub(crate) use value::ConfigValue;
pub(crate) use watch::Watcher;

/// Reads a configuration file and everything that it includes.
pub(crate) fn load(path: &Path, env: &dyn Environment) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let mut files = files::read(path, env, &mut problems);
    for document in &mut files.documents {
        for finding in schema::check(&document.json, &document.places) {
            let missing = matches!(finding.kind, explain::Kind::Missing(_));
            let doubtful = document.damaged && missing;
            if !doubtful && !document.is_within_faulty(&finding.pointer) {
                problems.push(finding.problem);
            }
            document.faulty.insert(finding.pointer);
        }
    }
    let config = resolve::resolve(&files, &mut problems);
    problems.set_files(files.watched);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}
