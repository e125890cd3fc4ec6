//! The direction of dependencies, as ARCHITECTURE.md draws it. A rule that fails names the file that breaks it.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, crate_modules, sources, words};

/// Crates that one folder of the host, or one file, keeps to itself.
const KEPT: &[(&str, &[&str])] = &[
    ("wasmtime", &["host/src/wasm/"]),
    ("rustls", &["host/src/tls/"]),
    ("toml", &["host/src/config/"]),
    ("notify", &["host/src/config/"]),
    ("prometheus", &["host/src/telemetry/"]),
];

/// Modules that name no other module of the host, but for their own settings in `config`.
const LEAVES: &[&str] = &["config", "store", "metering", "telemetry", "body", "tls"];

/// Modules that wire the others, or look at all of them.
const WIRING: &[&str] = &["gateway", "admin", "cli"];

/// Folders on the path of a request, where no lock may be shared between workers.
const REQUEST_PATH: &[&str] = &["connection", "exchange", "router", "chain", "upstream", "listener"];

fn host() -> Vec<Source> {
    sources("host/src").into_iter().filter(|source| !source.is_test()).collect()
}

/// The top-level module of the host that a file belongs to.
fn module(source: &Source) -> String {
    let path = source.path.strip_prefix("host/src/").unwrap();
    path.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

/// Every module of the host and the modules that it names.
fn graph() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut graph: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let files = host();
    let modules: BTreeSet<String> = files.iter().map(module).collect();
    for source in &files {
        let own = module(source);
        let named = graph.entry(own.clone()).or_default();
        for name in crate_modules(&source.code()) {
            if name != own && modules.contains(&name) {
                named.insert(name, source.path.clone());
            }
        }
    }
    graph
}

/// Whether code has a path that begins with a crate's name.
fn names_crate(code: &str, name: &str) -> bool {
    let begins_a_path = |at: usize| {
        let before = code[..at].strip_suffix("::").unwrap_or(&code[..at]);
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>')
    };
    code.match_indices(&format!("{name}::")).any(|(at, _)| begins_a_path(at))
        || code.contains(&format!("use {name};"))
}

#[test]
fn some_crates_are_named_in_one_place_only() {
    for (name, places) in KEPT {
        for source in host() {
            let allowed = places.iter().any(|place| source.path.starts_with(place));
            assert!(
                allowed || !names_crate(&source.code(), name),
                "{} names `{name}`, which belongs to {places:?}",
                source.path
            );
        }
    }
}

#[test]
fn leaves_name_no_other_module() {
    for (module, named) in graph() {
        if LEAVES.contains(&module.as_str()) {
            let others: Vec<_> = named.iter().filter(|(name, _)| *name != "config").collect();
            assert!(others.is_empty(), "`{module}` is a leaf, but names {others:?}");
        }
    }
}

#[test]
fn nobody_knows_the_admin_pages_but_who_opens_them() {
    for (module, named) in graph() {
        let may = ["gateway", "main", "cli", "lib"].contains(&module.as_str());
        assert!(may || !named.contains_key("admin"), "`{module}` names `admin` in {}", named["admin"]);
    }
}

#[test]
fn the_router_and_the_upstreams_know_nothing_of_plugins() {
    for source in host() {
        if !["router", "upstream"].contains(&module(&source).as_str()) {
            continue;
        }
        let code = source.code();
        for name in ["wasm", "chain", "exchange", "snapshot", "gateway"] {
            assert!(!crate_modules(&code).contains(name), "{} names `crate::{name}`", source.path);
        }
        let plugin = words(&code).find(|word| word.to_ascii_lowercase().contains("plugin"));
        assert_eq!(plugin, None, "{}", source.path);
    }
}

#[test]
fn chains_know_nothing_of_sockets() {
    for source in host().iter().filter(|source| module(source) == "chain") {
        let code = source.code();
        assert!(!words(&code).any(|word| word == "hyper"), "{} names hyper", source.path);
        for name in ["connection", "listener", "upstream", "router", "exchange"] {
            assert!(!crate_modules(&code).contains(name), "{} names `crate::{name}`", source.path);
        }
    }
}

#[test]
fn the_router_is_pure() {
    for source in host().iter().filter(|source| module(source) == "router") {
        for word in ["tokio", "async", "await", "Instant", "SystemTime", "fs", "net"] {
            assert!(!words(&source.code()).any(|found| found == word), "{} names `{word}`", source.path);
        }
    }
}

#[test]
fn no_lock_is_shared_on_the_path_of_a_request() {
    for source in host() {
        if REQUEST_PATH.contains(&module(&source).as_str()) {
            for word in ["Mutex", "RwLock", "Condvar"] {
                assert!(!words(&source.code()).any(|found| found == word), "{} names `{word}`", source.path);
            }
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let graph = graph();
    for (start, named) in &graph {
        if WIRING.contains(&start.as_str()) || start == "lib" || start == "main" {
            continue;
        }
        // Whoever can be reached from here must not lead back.
        let (mut open, mut seen): (Vec<&String>, BTreeSet<&String>) =
            (named.keys().collect(), BTreeSet::new());
        while let Some(next) = open.pop() {
            if WIRING.contains(&next.as_str()) || !seen.insert(next) {
                continue;
            }
            open.extend(graph[next].keys());
        }
        assert!(!seen.contains(start), "`{start}` leads back to itself by way of {seen:?}: {named:?}");
        for wiring in WIRING {
            assert!(!named.contains_key(*wiring), "`{start}` names `{wiring}` in {}", named[*wiring]);
        }
    }
}

#[test]
fn the_sdk_and_the_plugins_know_nothing_of_the_host() {
    for folder in ["plugin-sdk", "plugins", "tests/guests"] {
        for source in sources(folder) {
            assert!(!names_crate(&source.code(), "sluice"), "{} names the host", source.path);
        }
    }
    for manifest in
        ["plugin-sdk", "plugin-sdk/abi", "plugin-sdk/macros", "plugin-sdk/testing", "tests/guests"]
    {
        let text = std::fs::read_to_string(super::source::root().join(manifest).join("Cargo.toml")).unwrap();
        let names = text.lines().any(|line| {
            line.starts_with("sluice ") || line.starts_with("sluice.") || line.contains("\"../host\"")
        });
        assert!(!names, "{manifest}/Cargo.toml depends on the host");
    }
}
