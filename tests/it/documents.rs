//! The documentation, held against the binary: the configurations in it are in order, every key is told, links lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Setup, root};
use crate::tls::Authority;

const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE24R/Xf+LmnTulpal2I620CvrHYjm\n\
    f0UXuoByDYkL9e9VL5gwXy5FGaPnBPLL/Ufp0mUvzTx7Zoezc8LufDvKyg==\n\
    -----END PUBLIC KEY-----\n";

const OPENAPI: &str = r#"{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{}}"#;

/// Tables that are the value of a single key, and told in its row.
const VALUES: [&str; 2] = ["Respond", "AccessLogFile"];

/// Every page of these folders.
fn pages(folders: &[&str]) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in folders {
        let (parent, below) = folder.strip_suffix("/*").map_or((*folder, false), |parent| (parent, true));
        let entries = |path: &Path| {
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<BTreeSet<_>>()
        };
        let mut folders = BTreeSet::from([root().join(parent)]);
        if below {
            folders = entries(&root().join(parent)).into_iter().filter(|path| path.is_dir()).collect();
        }
        for folder in folders {
            let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
            pages.extend(entries(&folder).into_iter().filter(is_page));
        }
    }
    pages
}

/// The lines of a page, each with whether it is part of a block of code.
fn lines(page: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut code = false;
    page.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        (code || fence, line)
    })
}

/// The configurations in a page.
fn configurations(page: &str) -> Vec<String> {
    let parts = page.split("```toml\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_configuration_in_the_documentation_is_in_order() {
    let authority = Authority::new("all");
    let (api, shop) = (authority.issue(&["api.example"]), authority.issue(&["shop.example"]));
    let setup = Setup::new()
        .file("acme.pem", PUBLIC_KEY)
        .file("redis-ca.pem", fs::read(root().join("plugins/mtls/tests/data/billing.pem")).unwrap())
        .file("certs/api.pem", &api.cert)
        .file("certs/api.key", &api.key)
        .file("certs/shop.pem", &shop.cert)
        .file("certs/shop.key", &shop.key)
        .file("certs/partners.pem", authority.pem())
        .file("certs/revoked.pem", authority.revoke(&[]))
        .file("openapi.json", OPENAPI)
        .file("api.binpb", fs::read(root().join("plugins/rest-grpc/tests/data/shop.binpb")).unwrap())
        .file("operations.json", r#"{"me":"{ me { id } }"}"#)
        .file("secrets/gateway", "a secret of the gateway")
        .variable("SLUICE_PEPPER", "a pepper of the gateway")
        .variable("REDIS_PASSWORD", "password")
        .variable("LEDGER_PASSWORD", "password")
        .variable("OPENMETER_TOKEN", "token");
    std::os::unix::fs::symlink(root().join("target/plugins"), setup.path().join("plugins")).unwrap();
    let mut wrong = String::new();
    for page in pages(&["", "docs", "plugins/*", "examples/*"]) {
        for block in configurations(&fs::read_to_string(&page).unwrap()) {
            let (code, told) = setup.check(&completed(&block));
            if code != 0 {
                write!(wrong, "{}:\n{block}\n{told}\n", page.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_plugin_shows_how_it_is_configured() {
    for page in pages(&["plugins/*"]) {
        let text = fs::read_to_string(&page).unwrap();
        let name = page.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let module = format!("module = \"plugins/{name}.wasm\"");
        assert!(configurations(&text).iter().any(|block| block.contains(&module)), "{name}: `{module}`");
    }
}

#[test]
fn the_first_plugin_of_the_readme_is_what_the_command_writes() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let written = read("plugin-sdk/template/src/lib.rs.tmpl").replace("{{name}}", "my-policy");
    assert!(read("README.md").contains(&format!("```rust\n{written}```\n")), "{written}");
}

/// A configuration with what its page leaves out: hashes, upstreams, plugins told elsewhere, routes to its chains.
fn completed(block: &str) -> String {
    let mut text = with_hashes(block).replace("/run/secrets/", "secrets/");
    text = text.replace("target/plugins/my-policy.wasm", "plugins/security-headers.wasm");
    text = text.replace("target/plugins/", "plugins/");
    let config: Value = toml::from_str(&text).unwrap_or_else(|error| panic!("{block}\n{error}"));
    let tables = |kind: &str| config[kind].as_object().cloned().unwrap_or_default();
    let (chains, routes, plugins) = (tables("chains"), tables("routes"), tables("plugins"));
    complete_metering(&mut text, &config);

    let mut used = BTreeSet::new();
    chains.values().chain(routes.values()).for_each(|table| note_plugins(&table["steps"], &mut used));
    for name in used.iter().filter(|name| !plugins.contains_key(**name)) {
        let file = if *name == "auth" { "api-key" } else { name };
        writeln!(text, "[plugins.{name}]\nmodule = \"plugins/{file}.wasm\"\n{}", granted(file)).unwrap();
    }
    for name in chains.keys() {
        let conditions = format!("match = {{ path = \"/of-{name}/**\" }}");
        writeln!(text, "[routes.of-{name}]\n{conditions}\nchain = \"{name}\"\nto = \"behind\"").unwrap();
    }
    let capabilities = plugins.values().filter_map(|plugin| plugin["capabilities"].as_array()).flatten();
    let mut upstreams: BTreeSet<_> =
        capabilities.filter_map(|capability| capability.as_str()?.strip_prefix("fetch:")).collect();
    upstreams.extend(routes.values().filter_map(|route| route["to"].as_str()));
    upstreams.insert("behind");
    for name in upstreams.iter().filter(|name| !tables("upstreams").contains_key(**name)) {
        writeln!(text, "[upstreams.{name}]\ntargets = [{{ url = \"http://127.0.0.1:9\" }}]").unwrap();
    }
    text
}

/// Meters that a block names and a ledger, where it has none.
fn complete_metering(text: &mut String, config: &Value) {
    for (meter, kind) in [
        ("requests", "aggregation = \"count\""),
        ("tokens", "aggregation = \"sum\"\ndimensions = [\"model\"]"),
        ("egress", "aggregation = \"sum\""),
    ] {
        if text.contains(&format!("\"{meter}\"")) && config["meters"][meter].is_null() {
            write!(text, "\n[meters.{meter}]\n{kind}\n").unwrap();
        }
    }
    let meters = ["[meters.", "[sinks.", "serve = \"usage\""].iter().any(|table| text.contains(table));
    if meters && config["store"]["ledger"].is_null() {
        const LEDGER: &str = "[store]\nledger = \"sqlite:data/ledger.db\"\n";
        match config["store"].is_null() {
            true => write!(text, "\n{LEDGER}").unwrap(),
            false => *text = text.replace("[store]\n", LEDGER),
        }
    }
}

/// Hashes of which a page shows only the beginning, each another one.
fn with_hashes(block: &str) -> String {
    let (mut text, mut rest, mut number) = (String::new(), block, 0);
    while let Some(at) = rest.find("sha256:") {
        let (before, after) = rest.split_at(at + "sha256:".len());
        text.push_str(before);
        rest = after;
        let behind = after.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
        if let Some(behind) = behind.strip_prefix('…') {
            number += 1;
            write!(text, "{number:064x}").unwrap();
            rest = behind;
        }
    }
    text + rest
}

/// The plugins that steps use, groups included.
fn note_plugins<'a>(steps: &'a Value, used: &mut BTreeSet<&'a str>) {
    for step in steps.as_array().into_iter().flatten() {
        used.extend(step.as_str().or_else(|| step["use"].as_str()));
        note_plugins(&step["any_of"], used);
        note_plugins(&step["all_of"], used);
    }
}

/// What a plugin has to be granted and told to be of use.
fn granted(plugin: &str) -> &'static str {
    match plugin {
        "api-key" | "basic-auth" => "capabilities = [\"consumers\"]",
        "mtls" => "capabilities = [\"consumers\", \"crypto\", \"clock\"]",
        "ip-filter" | "body-script" => "capabilities = [\"log\"]",
        "meter" => "capabilities = [\"meter\"]",
        "rate-limit" => "capabilities = [\"store\"]",
        "jwt" => {
            "capabilities = [\"crypto\", \"clock\", \"consumers\"]\n\
             config = { issuer = \"https://login.example\", audiences = \"any\", keys = { public = [\"${file:acme.pem}\"] } }"
        }
        _ => "",
    }
}

#[test]
fn every_key_of_the_configuration_is_told_with_its_default() {
    let (code, schema) = Setup::new().run(&["schema"]);
    assert_eq!(code, 0, "{schema}");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut keys = BTreeMap::new();
    note_keys(&schema, &schema, "", "", &mut keys);
    note_keys(&schema, &schema["$defs"]["Step"], "step", "", &mut keys);
    assert!(keys.len() > 100, "{keys:?}");

    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let told = told_keys(&page);
    let missing: Vec<_> = keys.keys().filter(|key| !told.contains_key(*key)).collect();
    assert!(missing.is_empty(), "docs/configuration.md does not tell of {missing:?}");
    let stale: Vec<_> = told.keys().filter(|key| !keys.contains_key(*key)).collect();
    assert!(stale.is_empty(), "docs/configuration.md tells of {stale:?}, which the schema does not have");
    for (key, description) in &keys {
        let Some(default) = default(description) else { continue };
        let cell = told[key].trim_start_matches(['`', '"']);
        let same =
            cell.strip_prefix(default).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
        assert!(same, "`{key}` is `{default}` by the schema, and {cell} by docs/configuration.md");
    }
}

/// Every key below a node of the schema, by its path, with what the schema says of it.
fn note_keys(schema: &Value, node: &Value, path: &str, told: &str, keys: &mut BTreeMap<String, String>) {
    let told = if told.is_empty() { node["description"].as_str().unwrap_or_default() } else { told };
    let name = node["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
    if name == Some("Step") {
        return;
    }
    let is_value = name.is_some_and(|name| VALUES.contains(&name));
    let node = name.map_or(node, |name| &schema["$defs"][name]);
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if let Some(alternatives) = node["anyOf"].as_array() {
        alternatives.iter().for_each(|node| note_keys(schema, node, path, told, keys));
    } else if let Some(properties) = node["properties"].as_object().filter(|_| !is_value) {
        properties.iter().for_each(|(key, node)| note_keys(schema, node, &join(key), "", keys));
    } else if node["items"].is_object() {
        note_keys(schema, &node["items"], &format!("{path}[]"), told, keys);
    } else if node["additionalProperties"].is_object() {
        note_keys(schema, &node["additionalProperties"], &join("NAME"), told, keys);
    } else {
        keys.insert(path.trim_end_matches("[]").to_owned(), told.to_owned());
    }
}

/// The default that a description of the schema states, if it is a value and no sentence.
fn default(description: &str) -> Option<&str> {
    let (_, stated) = description.split_once("Default: ")?;
    let word = stated.split([' ', ',', '\n']).next()?.trim_end_matches('.');
    let is_value = word.starts_with(|first: char| first == '`' || first.is_ascii_digit());
    is_value.then(|| word.trim_matches('`'))
}

/// The keys that the page's tables tell of, by path, with their defaults.
fn told_keys(page: &str) -> BTreeMap<String, &str> {
    let mut keys = BTreeMap::new();
    let (mut table, mut in_table) = (None, false);
    for (_, line) in lines(page).filter(|(code, _)| !code) {
        if let Some(heading) = line.strip_prefix("## ") {
            let name = heading.strip_prefix("`[").and_then(|rest| rest.strip_suffix("]`"));
            table = match heading {
                "Top level" => Some(""),
                "A step" => Some("step."),
                _ => name,
            };
        }
        in_table = line.starts_with("| Key |") || (in_table && line.starts_with('|'));
        let mut cells = line.split(" | ");
        let key = cells.next().and_then(|cell| cell.strip_prefix("| `")?.strip_suffix('`'));
        if let (true, Some(table), Some(key), Some(default)) = (in_table, table, key, cells.nth(1)) {
            let dot = if table.is_empty() || table.ends_with('.') { "" } else { "." };
            keys.insert(format!("{table}{dot}{key}"), default);
        }
    }
    keys
}

#[test]
fn links_lead_somewhere() {
    for page in pages(&["", "docs", "docs/decisions", "plugin-sdk", "plugins/*", "examples/*", "bench"]) {
        let text = fs::read_to_string(&page).unwrap();
        for (_, line) in lines(&text).filter(|(code, _)| !code) {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                let (file, heading) = link.split_once('#').unwrap_or((link, ""));
                let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
                assert!(target.exists(), "{}: there is no `{link}`", page.display());
                if !heading.is_empty() {
                    let text = fs::read_to_string(&target).unwrap_or_default();
                    assert!(headings(&text).contains(heading), "{}: there is no `{link}`", page.display());
                }
            }
        }
    }
}

/// The headings of a page, as links name them.
fn headings(page: &str) -> BTreeSet<String> {
    let titles = lines(page).filter(|(code, line)| !code && line.starts_with('#'));
    let names = titles.map(|(_, line)| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    names.map(|name| name.chars().filter(|c| kept(*c)).collect::<String>().replace(' ', "-")).collect()
}
