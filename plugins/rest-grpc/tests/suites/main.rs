//! The mapping cases of other transcoders' suites, told as data (`tests/data/README.md`).

#[path = "../common/mod.rs"]
mod common;

mod case;
mod set;

use std::collections::HashMap;

use rest_grpc::RestGrpc;
use serde::Deserialize;
use sluice_sdk_testing::{Harness, TestPlugin, Value, json};

use case::Case;
use set::{Method, Types};

/// The cases of a suite, and the methods that they call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    methods: Vec<Method>,
    cases: Vec<Case>,
}

/// Tries every case; tells how many there are, and how many in which Sluice differs on purpose.
fn run(text: &str) -> (usize, usize) {
    let suite: Suite = serde_json::from_str(&expanded(text)).expect("cases");
    let types = Types::new();
    // Compiled, a plugin takes its time to start, and is a process: one after the other, each for all of its cases.
    let mut groups: HashMap<_, Vec<_>> = HashMap::new();
    for case in &suite.cases {
        let methods = case.methods.as_ref().unwrap_or(&suite.methods);
        let set = case.set.as_ref().map_or_else(|| types.set(methods), |text| text.clone().into_bytes());
        groups.entry((case.config.to_string(), case.limit, set)).or_default().push((case, methods));
    }
    let mut wrong = Vec::new();
    for ((_, limit, set), cases) in &groups {
        let plugin = start(&cases[0].0.config, *limit, set);
        for (case, methods) in cases {
            if let Err(what) = check(case, &plugin, methods, &types) {
                wrong.push(format!("{}: {}: {what}", case.of, case.request));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    (suite.cases.len(), suite.cases.iter().filter(|case| case.theirs.is_some()).count())
}

/// `{{abc*5}}` is `abcab`: what is long stands so in the data.
fn expanded(text: &str) -> String {
    let mut parts = text.split("{{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (long, rest) = part.split_once("}}").expect("an end");
        let (seed, length) = long.split_once('*').expect("a length");
        out.extend(seed.chars().cycle().take(length.parse().expect("a length")));
        out.push_str(rest);
    }
    out
}

fn start(config: &Value, limit: Option<usize>, set: &[u8]) -> Result<TestPlugin, String> {
    let mut config = if config.is_null() { json!({}) } else { config.clone() };
    config["descriptors"] = json!("asset:set.binpb");
    let mut harness = Harness::<RestGrpc>::new(config).asset("set.binpb", set);
    if let Some(limit) = limit {
        harness = harness.limits(|limits| limits.body = limit);
    }
    harness.start().map_err(|refused| refused.message)
}

fn check(
    case: &Case,
    plugin: &Result<TestPlugin, String>,
    methods: &[Method],
    types: &Types,
) -> Result<(), String> {
    match (plugin, &case.unloadable) {
        (Err(told), Some(reason)) if told.contains(reason) => Ok(()),
        (Err(told), _) => Err(format!("it is not loaded: {told}")),
        (Ok(_), Some(_)) => Err("it is loaded".to_owned()),
        (Ok(plugin), None) => case.check(plugin, methods, types),
    }
}

#[test]
fn the_cases_of_envoys_transcoder() {
    assert_eq!(run(include_str!("../data/suites/envoy.json")), (141, 30));
}

#[test]
fn the_cases_of_grpc_httpjson_transcoding() {
    assert_eq!(run(include_str!("../data/suites/transcoding.json")), (542, 20));
}

#[test]
fn the_cases_of_grpc_gateway() {
    assert_eq!(run(include_str!("../data/suites/grpc_gateway.json")), (283, 67));
}
