//! A snapshot as operators see it: names, versions, digests and states, no secrets.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{PluginPlan, RoutePlan, Snapshot};
use crate::config::{Destination, Listener, Route};
use crate::jwks::Status;
use crate::wasm::sha256_hex;

impl Snapshot {
    /// As JSON; `status_of` tells what is known of a plugin: `state`, `since` and `faults`.
    pub(crate) fn to_json(&self, status_of: impl Fn(&str) -> Value) -> Value {
        let plugins: Vec<Value> =
            self.plugins.iter().map(|plugin| plugin.to_json(status_of(&plugin.name))).collect();
        let routes: Vec<Value> = self
            .config
            .routes
            .iter()
            .zip(&self.routes)
            .map(|(route, plan)| route_json(route, plan))
            .collect();
        let listeners: Vec<Value> =
            self.config.listeners.iter().map(|listener| self.listener_json(listener)).collect();
        let upstreams: Vec<Value> = self
            .config
            .upstreams
            .values()
            .map(|upstream| {
                let targets: Vec<String> = upstream
                    .targets
                    .iter()
                    .map(|target| format!("{}:{}", target.host, target.port))
                    .collect();
                json!({ "name": &*upstream.name, "targets": targets })
            })
            .collect();
        let key_sets: Vec<Value> = self.key_sets.statuses().iter().map(key_set_json).collect();
        json!({
            "generation": self.generation,
            "config_digest": self.config.digest,
            "jwks": key_sets,
            "listeners": listeners,
            "plugins": plugins,
            "routes": routes,
            "upstreams": upstreams,
        })
    }
}

impl Snapshot {
    fn listener_json(&self, listener: &Listener) -> Value {
        let mut object = json!({ "name": &*listener.name, "bind": listener.bind.to_string() });
        if let Some(acceptor) = self.acceptors.get(&listener.name) {
            let certificates = acceptor.identities().map(
                |identity| json!({ "names": identity.names.all(), "expires": seconds(identity.not_after) }),
            );
            object["certificates"] = certificates.collect();
        }
        object
    }
}

/// Since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

impl PluginPlan {
    fn to_json(&self, mut status: Value) -> Value {
        let descriptor = &self.module.descriptor;
        let phases: Vec<&str> = descriptor.phases.iter().map(|phase| phase.name()).collect();
        json!({
            "name": &*self.name,
            "plugin": descriptor.name,
            "version": descriptor.version,
            "digest": sha256_hex(&self.module.digest),
            "phases": phases,
            "state": status["state"].take(),
            "since": status["since"].take(),
            "faults": status["faults"].take(),
        })
    }
}

fn key_set_json(status: &Status) -> Value {
    let failure = status.last_failure.as_ref();
    json!({
        "name": &*status.name,
        "keys": status.keys.map(|(usable, _)| usable),
        "passed_over": status.keys.map(|(_, passed_over)| passed_over),
        "fetched": status.last_success.map(seconds),
        "failed": failure.map(|(time, _)| seconds(*time)),
        "failure": failure.map(|(_, text)| &**text),
        "fetches": status.fetches,
        "failures": status.failures,
    })
}

fn route_json(route: &Route, plan: &RoutePlan) -> Value {
    let steps: Vec<Value> =
        plan.steps.iter().map(|step| json!({ "name": &*step.name, "plugin": &*step.bound.plugin })).collect();
    match &route.destination {
        Destination::Upstream(upstream) => {
            json!({ "name": &*route.name, "steps": steps, "upstream": &*upstream.name })
        }
        Destination::Usage => json!({ "name": &*route.name, "steps": steps, "serve": "usage" }),
    }
}
