//! The other commands of the binary: keys and plugins.

use std::process::Command;

use serde_json::json;

use crate::harness::{Connection, Origin, Setup, binary, config, guest, plugin, root};

#[test]
fn a_new_key_lets_its_consumer_in() {
    const PEPPER: &str = "[credentials]\npepper = \"a pepper for tests alone\"\n";
    let file = format!("version = 1\n[listeners.a]\nbind = \"127.0.0.1:0\"\n{PEPPER}");
    let setup = Setup::new().file("gateway.toml", &file).file("bare.toml", file.replace(PEPPER, ""));
    for (arguments, reason) in [
        (&["acme", "--config", "bare.toml"][..], "has no pepper"),
        (&["acme", "--config", "gone.toml"], "does not exist"),
        (&["acme corp"], "cannot be the name"),
        (&["acme", "--id", "a\tb"], "without control characters"),
    ] {
        let (code, told) = setup.run(&[&["keys", "new"], arguments].concat());
        assert_eq!(code, 1, "{told}");
        assert!(told.contains(reason) && !told.contains("sluice_"), "{told}");
    }
    let (code, told) = setup.run(&["keys", "new", "acme"]);
    assert_eq!(code, 0, "{told}");
    let key = told.lines().next().unwrap();
    let lines: Vec<&str> = told.lines().skip_while(|line| !line.starts_with("[consumers.acme]")).collect();
    assert!(!lines.join("\n").contains(key), "the digest alone is kept");
    let text = config::plugin("api-key", "capabilities = [\"consumers\"]")
        + &config::service(Origin::echo(), &["api-key"])
        + PEPPER
        + &lines.join("\n");
    let gateway = Setup::new().plugin("api-key", plugin("api-key")).start(&text);
    let mut client = Connection::open(gateway.public);
    client.request("GET", "/", &[("x-api-key", key)], b"").expect(200);
    client.request("GET", "/", &[("x-api-key", "another")], b"").expect(401);
}

#[test]
fn inspect_shows_what_a_plugin_is() {
    let setup = Setup::new().file("tag.wasm", guest("tag")).file("cut.wasm", &guest("tag")[..1000]);
    let (code, told) = setup.run(&["plugin", "inspect", "tag.wasm"]);
    assert_eq!(code, 0, "{told}");
    for word in ["tag", "request, response, response_chunk", "sluice:v1/http.header_set", "label", "sealed"] {
        assert!(told.contains(word), "`{word}` is missing in\n{told}");
    }
    let (_, json) = setup.run(&["plugin", "inspect", "--json", "tag.wasm"]);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["abi"], 1);
    assert_eq!(document["sealed"], true);
    assert_eq!(document["isolation"], "shared");
    assert_eq!(setup.run(&["plugin", "inspect", "cut.wasm"]).0, 1);
    assert_eq!(setup.run(&["plugin", "inspect", "gone.wasm"]).0, 1);
}

#[test]
fn inspect_shows_what_a_plugin_can_do_without_and_whether_it_wants_to_be_alone() {
    let setup = Setup::new().file("limit.wasm", plugin("rate-limit")).file("zip.wasm", plugin("compress"));
    let inspect = |file: &str| {
        let (_, text) = setup.run(&["plugin", "inspect", file]);
        let (_, json) = setup.run(&["plugin", "inspect", "--json", file]);
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        let word = if document["dispensable"] == true { "yes" } else { "no" };
        assert!(text.contains(&format!("\ndispensable   {word}\n")), "{text}");
        (text, document["optional"].clone(), document["isolation"].clone(), document["dispensable"].clone())
    };
    let (text, optional, isolation, dispensable) = inspect("limit.wasm");
    assert!(text.contains("\noptional      log\n") && text.contains("\nisolation     shared\n"), "{text}");
    assert_eq!((optional, isolation, dispensable), (json!(["log"]), json!("shared"), json!(false)));
    let (text, optional, isolation, dispensable) = inspect("zip.wasm");
    assert!(text.contains("\noptional      none\n") && text.contains("\nisolation     exchange\n"), "{text}");
    assert_eq!((optional, isolation, dispensable), (json!([]), json!("exchange"), json!(true)));
}

#[test]
fn seal_makes_a_file_acceptable() {
    let whole = guest("noop");
    let setup = Setup::new().plugin("noop", &whole[..whole.len() - 46]);
    let text = config::plugin("noop", "") + &config::service("127.0.0.1:1", &["noop"]);
    assert_eq!(setup.check(&text).0, 1);
    assert_eq!(setup.run(&["plugin", "seal", "plugins/noop.wasm"]).0, 0);
    assert_eq!(setup.check(&text).0, 0);
    assert_eq!(std::fs::read(setup.path().join("plugins/noop.wasm")).unwrap(), whole);
}

#[test]
fn a_new_plugin_builds_and_passes_its_test_at_once() {
    let setup = Setup::new();
    let sdk = root().join("plugin-sdk");
    let (code, told) = setup.run(&["plugin", "new", "my-policy", "--sdk", sdk.to_str().unwrap()]);
    assert_eq!(code, 0, "{told}");
    let directory = setup.path().join("my-policy");
    // The versions of this repository, which are on this machine already.
    std::fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(&directory);
        command.env("CARGO_TARGET_DIR", root().join("target/tests-scaffold"));
        // What cargo set for this test is not about that crate.
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
    };
    run(&["plugin", "test"]);
    run(&["plugin", "build", "--into", "out"]);
    let text = config::plugin("my-policy", "").replace("plugins/", "my-policy/out/")
        + &config::service("127.0.0.1:1", &["my-policy"]);
    let (code, told) = setup.check(&text);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn wrong_arguments_are_told() {
    assert_eq!(Setup::new().run(&["fly"]).0, 2);
    assert_eq!(Setup::new().run(&["plugin", "new", "Not A Name"]).0, 1);
    let (code, told) = Setup::new().run(&["--version"]);
    assert_eq!(code, 0);
    assert!(told.starts_with("sluice "), "{told}");
}
