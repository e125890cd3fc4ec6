//! What configurations mean.

mod metering;

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use http::{Method, StatusCode};
use serde_json::json;

use super::golden::{TestEnvironment, cases};
use super::pattern::{HostPattern, Segment};
use super::{AccessLog, Capability, Config, ConfigValue, Isolation, OnError, Problems, Serve, load, schema};

fn valid(name: &str) -> Config {
    load(&cases().join("valid").join(name), &TestEnvironment).unwrap()
}

struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let files_here = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            files_here.write(name, text);
        }
        files_here
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn load(&self) -> Result<Config, Problems> {
        load(&self.0.path().join("gateway.toml"), &TestEnvironment)
    }
}

const BASE: &str = r#"
version = 1
listeners.public.bind = "127.0.0.1:8080"
upstreams.app.targets = [{ url = "http://127.0.0.1:9000" }]
plugins.a = { module = "a.wasm", config = { one = 1, two = { x = 1, y = 2 } } }
plugins.b.module = "b.wasm"
plugins.c.module = "c.wasm"
chains.default.steps = ["a", "b"]
"#;

fn with(more: &str) -> Files {
    Files::new(&[("gateway.toml", &format!("{BASE}{more}"))])
}

#[test]
fn everything_means_what_it_says() {
    let config = valid("everything.toml");
    assert_eq!(config.workers.get(), 4);
    let admin = config.listeners.iter().find(|listener| &*listener.name == "admin").unwrap();
    assert_eq!(admin.serve, Serve::Admin { admin: true, metrics: true });
    let public = config.listeners.iter().find(|listener| &*listener.name == "public").unwrap();
    assert_eq!(public.limits, super::ListenerLimits::default());
    assert_eq!(public.timeouts, super::ListenerTimeouts::default());
    assert_eq!(public.trusted_proxies.len(), 3);
    let orders = &config.upstreams["orders"];
    assert_eq!((orders.targets[0].weight, orders.targets[1].weight), (2, 1));
    assert_eq!(orders.timeouts, super::UpstreamTimeouts::default());

    let auth = &config.plugins["auth"];
    assert!(auth.module.ends_with("valid/plugins/api_key.wasm"));
    assert_eq!(auth.sha256.unwrap()[..2], [0x9f, 0x2c]);
    assert_eq!(auth.capabilities.len(), 9);
    assert!(auth.capabilities.contains(&Capability::Fetch("identity".into())));
    assert_eq!((auth.isolation, auth.limits.time), (Isolation::Exchange, Duration::from_millis(2)));
    assert_eq!(config.plugins["limit"].circuit, None);
    let unavailable = OnError::Respond(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(config.plugins["limit"].on_error, unavailable);
    assert_eq!(config.plugins["trace"].module, Path::new("/opt/plugins/trace.wasm"));

    let route = config.routes.iter().find(|route| &*route.name == "orders").unwrap();
    let steps: Vec<&str> = route.steps.iter().map(|step| &*step.name).collect();
    assert_eq!(steps, ["trace", "auth", "burst", "limit"]);
    assert_eq!(route.steps[2].on_error, OnError::Allow);
    assert_eq!(route.steps[3].on_error, unavailable);
    assert_eq!(route.matches.hosts[1], HostPattern::Wildcard(".shop.example".to_owned()));
    let segments = [Segment::Literal("orders".into()), Segment::Named("id".into()), Segment::Any];
    assert_eq!(route.matches.path.segments, segments);
    assert!(route.matches.path.rest);
    assert_eq!(route.matches.methods, [Method::GET, Method::POST]);

    let acme = config.consumers.iter().find(|consumer| &*consumer.name == "acme").unwrap();
    assert_eq!(acme.keys[0].digest[..2], [0x5e, 0x88]);
    assert_eq!(acme.keys[0].expires, Some(UNIX_EPOCH + Duration::from_secs(1_798_761_600)));
    assert!(config.pepper.unwrap().expose().len() > 7);
    assert_eq!(config.secrets.len(), 2);
    assert!(
        matches!(config.telemetry.access_log, AccessLog::File(path) if path.ends_with("valid/access.log"))
    );
    assert!(config.cache.dir.unwrap().ends_with("valid/cache"));
}

#[test]
fn nothing_written_means_the_defaults() {
    let config = valid("minimal.toml");
    assert_eq!(config.store, super::Store::default());
    assert_eq!(config.reload, super::Reload::default());
    assert_eq!(config.telemetry, super::Telemetry::default());
    assert_eq!(config.cache, super::Cache::default());
    let files = with("plugins.d = { module = \"d.wasm\", limits = { time = \"100ms\" } }");
    let config = files.load().unwrap();
    assert_eq!(config.plugins["a"].limits, super::Limits::default());
    assert_eq!(config.plugins["a"].circuit, Some(super::CircuitSettings::default()));
    // an exchange gets at least the time of one call
    assert_eq!(config.plugins["d"].limits.exchange_time, Duration::from_millis(100));
}

#[test]
fn substituted_values_are_in_place() {
    let config = valid("substitution.toml");
    assert_eq!(config.upstreams["app"].targets[0].host, "app.internal");
    let added = &config.plugins["headers"].config.json()["add"];
    let expected = json!({ "x-literal": "${not:substituted}", "x-dollars": "$$5 $ {", "x-both": "ab" });
    assert_eq!(*added, expected);
    assert!(config.files.iter().any(|file| file.ends_with("parts/host.txt")));
}

#[test]
fn steps_stand_where_they_were_put() {
    for (steps, expected) in [
        (r#"["c"]"#, "a b c"),
        (r#"[{ use = "c", after = "a" }]"#, "a c b"),
        (r#"[{ use = "c", before = "a" }]"#, "c a b"),
        (r#"[{ use = "c", name = "x", after = "a" }, { use = "c", name = "y", after = "a" }]"#, "a x y b"),
        (r#"[{ use = "c", name = "x", before = "b" }, { use = "c", name = "y", before = "b" }]"#, "a x y b"),
        (r#"[{ use = "c", name = "x", after = "b" }, { use = "c", name = "y", before = "x" }]"#, "a b y x"),
        (
            r#"[{ any_of = ["c", { use = "c", name = "d" }] }, { use = "c", name = "x", after = "d" }, { use = "c", name = "y", after = "c" }]"#,
            "a b c d x y",
        ),
    ] {
        let files = with(&format!("routes.r = {{ chain = \"default\", to = \"app\", steps = {steps} }}"));
        let config = files.load().unwrap();
        let names: Vec<&str> = config.routes[0].steps.iter().map(|step| &*step.name).collect();
        assert_eq!(names.join(" "), expected, "{steps}");
    }
}

#[test]
fn a_step_lays_its_configuration_over_the_plugins() {
    let files = with(
        "routes.r = { to = \"app\", steps = [\"a\", { use = \"a\", name = \"x\", config = { two = { z = 3 }, three = [1] } }] }",
    );
    let config = files.load().unwrap();
    let [plain, own] = &config.routes[0].steps[..] else { panic!("two steps") };
    assert_eq!(*plain.config.json(), json!({ "one": 1, "two": { "x": 1, "y": 2 } }));
    assert_eq!(*own.config.json(), json!({ "one": 1, "two": { "z": 3 }, "three": [1] }));
    let line = |pointer: &str| own.config.place(pointer).unwrap().line_column().0;
    assert_eq!((line("/one"), line("/two/z"), line("/three/0")), (5, 9, 9));
    // what is not there belongs to the table of the step
    assert_eq!((line("/four"), line("/two/x")), (9, 9));
    assert_eq!(plain.config.whole().unwrap().line_column().0, 5);
}

/// As schemars makes them, for a plugin with most of what plugins have.
fn plugin_schema() -> serde_json::Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["header", "limits"],
        "properties": {
            "header": { "type": "string", "pattern": "^[a-z-]+$", "x-expected": "a header name" },
            "limits": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Limit" } },
            "mode": { "oneOf": [{ "const": "strict" }, { "const": "lax" }] },
            "action": { "oneOf": [
                { "type": "object", "required": ["kind", "value"], "additionalProperties": false,
                  "properties": { "kind": { "const": "set" }, "value": { "type": "string" } } },
                { "type": "object", "required": ["kind"], "additionalProperties": false,
                  "properties": { "kind": { "const": "drop" } } },
            ] },
            "nothing": { "anyOf": [{ "$ref": "#/$defs/Limit" }, { "type": "null" }] },
        },
        "$defs": { "Limit": {
            "type": "object", "additionalProperties": false, "required": ["q"],
            "properties": { "q": { "type": "integer", "minimum": 1 }, "w": { "type": ["string", "null"] } },
        } },
    })
}

fn messages(config: &str) -> Vec<String> {
    let files = with(&format!("plugins.p = {{ module = \"p.wasm\", config = {config} }}"));
    let config = files.load().unwrap();
    let problems = config.plugins["p"].config.check(&plugin_schema(), "plugin `p`");
    let shown = problems.iter().map(|problem| {
        let (line, column) = problem.place.as_ref().unwrap().line_column();
        assert_eq!(line, 9);
        let hint = problem.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
        format!("{column}: {}{hint}", problem.message)
    });
    shown.collect()
}

#[test]
fn a_plugins_configuration_follows_its_schema() {
    let fine =
        "{ header = \"x\", limits = [{ q = 1, w = \"1m\" }], mode = \"lax\", action = { kind = \"drop\" } }";
    assert_eq!(messages(fine), [""; 0]);
    let wrong = messages(
        "{ heder = \"x\", limits = [{ q = 0 }, { w = 1 }], mode = \"lacks\", action = { kind = \"sat\" }, nothing = 5 }",
    );
    let expected = [
        "45: unknown key `heder` in the configuration of plugin `p` (did you mean `header`?)",
        "125: expected \"set\" or \"drop\", found string \"sat\" (did you mean `set`?)",
        "74: expected at least 1, found integer `0`",
        "79: `q` is missing in `limits[1]` of the configuration of plugin `p` (`q` is an integer)",
        "85: expected a string, found integer `1`",
        "98: expected \"strict\" or \"lax\", found string \"lacks\"",
        "144: expected a table, found integer `5`",
    ];
    let mut sorted = (wrong.clone(), expected.to_vec());
    sorted.0.sort();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1);
    assert_eq!(
        messages("{ header = \"X\", limits = [], action = { kind = \"set\", valeu = \"x\" } }"),
        [
            "97: unknown key `valeu` in `action` of the configuration of plugin `p` (did you mean `value`?)",
            "54: expected a header name, found string \"X\"",
            "68: expected at least 1 entry, found an empty array",
        ]
    );
}

#[test]
fn a_plugin_without_configuration_is_told_where_it_could_stand() {
    let config = with("").load().unwrap();
    let problems = config.plugins["b"].config.check(&plugin_schema(), "plugin `b`");
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[0].message, "`header` is missing in the configuration of plugin `b`");
    assert_eq!(problems[0].place.as_ref().unwrap().line_column().0, 6);
}

#[test]
fn a_bad_schema_is_the_plugins_problem() {
    let config = with("").load().unwrap();
    for schema in
        [json!({ "type": 5 }), json!({ "$ref": "https://plugins.example/schema" }), json!({ "pattern": "(" })]
    {
        let problems = config.plugins["a"].config.check(&schema, "plugin `a`");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.starts_with("the schema of plugin `a` is not valid: "));
    }
    // a schema that refers to itself without end is harmless
    assert!(config.plugins["a"].config.check(&json!({ "$ref": "#" }), "plugin `a`").is_empty());
}

#[test]
fn secrets_in_a_plugins_configuration_are_not_shown() {
    let files = with(
        "plugins.p = { module = \"p.wasm\", config = { header = \"${env:SECRET}\", limits = \"${env:SECRET}\" } }",
    );
    let config = files.load().unwrap();
    let mut problems = Problems::default();
    problems.extend(config.plugins["p"].config.check(&plugin_schema(), "plugin `p`"));
    assert_eq!(problems.len(), 2);
    assert!(!problems.to_string().contains("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(config.plugins["p"].config.json().to_string().contains("hunter2"));
}

#[test]
fn the_digest_is_that_of_all_files() {
    let files = Files::new(&[
        ("gateway.toml", "version = 1\ninclude = [\"*.inc\"]\nlisteners.public.bind = \"${file:bind.txt}\""),
        ("a.inc", ""),
        ("bind.txt", "127.0.0.1:1"),
    ]);
    let first = files.load().unwrap();
    assert_eq!(first.digest.len(), 64);
    assert_eq!(first.digest, files.load().unwrap().digest);
    files.write("a.inc", "# nothing");
    let second = files.load().unwrap();
    files.write("bind.txt", "127.0.0.1:2");
    let third = files.load().unwrap();
    assert!(first.digest != second.digest && second.digest != third.digest);
    // comments change the digest and nothing else
    assert_eq!(first.listeners, second.listeners);
    let names: Vec<_> = third.files.iter().map(|file| file.file_name().unwrap().to_owned()).collect();
    assert_eq!(names[0], "gateway.toml");
    assert!(third.files.contains(&files.0.path().to_owned()), "the pattern's directory");
    assert!(names.contains(&"a.inc".into()) && names.contains(&"bind.txt".into()));
}

#[test]
fn what_moves_to_another_line_stays_the_same() {
    let route = "routes.r = { to = \"app\", steps = [{ use = \"a\", config = { k = 1 } }] }";
    let (first, second) = (with(route), with(&format!("\n\n# moved\n{route}")));
    fs::remove_file(second.0.path().join("unused")).unwrap_err();
    let (first, second) = (first.load().unwrap(), second.load().unwrap());
    assert!(first.routes[0].steps[0].config == second.routes[0].steps[0].config);
    assert!(first.routes[0].place == second.routes[0].place);
    assert_ne!(first.routes[0].place.line_column(), second.routes[0].place.line_column());
}

#[test]
fn a_missing_file_is_a_problem_and_is_watched() {
    let files = Files::new(&[]);
    let problems = files.load().unwrap_err();
    assert_eq!(problems.len(), 1);
    let consumers = files.0.path().join("consumers.d");
    assert_eq!(problems.files(), [files.0.path().join("gateway.toml"), consumers]);
    assert!(problems.to_string().contains("it does not exist"), "{problems}");
    files.write("gateway.toml", "include = [\"absent.toml\"]");
    let watched = files.load().unwrap_err();
    assert!(watched.files().contains(&files.0.path().join("absent.toml")));
}

#[test]
fn text_that_is_not_utf8_is_a_problem() {
    let files = Files::new(&[]);
    fs::write(files.0.path().join("gateway.toml"), b"version = 1\n# \xff").unwrap();
    let problems = files.load().unwrap_err().to_string();
    assert!(problems.contains("line 2 is not UTF-8"), "{problems}");
    // with a byte order mark and the line ends of Windows all is well
    files.write("gateway.toml", "\u{feff}version = 1\r\n[listeners.a]\r\nbind = \"127.0.0.1:1\"\r\n");
    files.load().unwrap();
}

#[test]
fn problems_as_json_have_their_places() {
    let problems = with("routes.r = { to = \"ap\" }").load().unwrap_err().to_json();
    let problem = &problems[0];
    assert_eq!(problem["message"], "there is no upstream `ap`");
    assert_eq!((&problem["line"], &problem["column"]), (&json!(9), &json!(19)));
    assert_eq!(problem["hint"], "did you mean `app`?");
    assert!(problem["file"].as_str().unwrap().ends_with("gateway.toml"));
}

#[test]
fn a_value_from_elsewhere_has_no_place() {
    let value = ConfigValue::detached(json!({ "a": 1 }));
    assert!(value.whole().is_none());
    let problems = value.check(&json!({ "properties": { "a": { "type": "string" } } }), "step `x`");
    assert_eq!(problems[0].message, "expected a string, found another integer");
}

/// Ten thousand routes must not take long to load, and the schema must have words for editors.
#[test]
fn many_routes_load() {
    let routes: String = (0..10_000).fold(BASE.to_owned(), |mut text, number| {
        use std::fmt::Write;
        write!(text, "\n[routes.r{number}]\nmatch = {{ path = \"/r{number}/**\" }}\nchain = \"default\"\nto = \"app\"\n").unwrap();
        text
    });
    let files = Files::new(&[("gateway.toml", &routes)]);
    let start = std::time::Instant::now();
    assert_eq!(files.load().unwrap().routes.len(), 10_000);
    eprintln!("10,000 routes: {:?}", start.elapsed());
    assert_eq!(schema()["properties"]["version"]["const"], 1);
}
