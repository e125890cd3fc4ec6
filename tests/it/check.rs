//! `sluice check` and `sluice schema`, as they are typed.

use crate::harness::{Setup, config, guest, guests, root, setup};

#[test]
fn a_file_with_five_mistakes_reports_five_each_with_its_line() {
    let setup = Setup::new().plugin("tag", guest("tag"));
    setup::write(
        setup.path(),
        "gateway.toml",
        br#"version = 1
[listeners.public]
bind = "127.0.0.1:8080"
protocolls = ["h1"]

[upstreams.orders]
targets = [{ url = "http://127.0.0.1:9000" }]
timeout = { request = "15 parsecs" }

[plugins.tag]
module = "plugins/tag.wasm"

[routes.orders]
match = { path = "/orders/**", methods = "GET" }
steps = ["tga"]
to = "order"
"#,
    );
    let (code, told) = setup.run(&["check", "gateway.toml"]);
    assert_eq!(code, 1, "{told}");
    for (line, word) in [
        (4, "did you mean `protocols`"),
        (8, "15 parsecs"),
        (14, "methods"),
        (15, "did you mean `tag`"),
        (16, "did you mean `orders`"),
    ] {
        assert!(told.contains(&format!("--> gateway.toml:{line}:")), "line {line} is not named in\n{told}");
        assert!(told.contains(word), "`{word}` is missing in\n{told}");
    }
    assert_eq!(
        told.lines().filter(|line| line.starts_with("error: ")).count()
            - usize::from(told.contains("5 problems")),
        5,
        "{told}"
    );
    assert!(told.contains("hint: "), "{told}");
}

#[test]
fn a_file_in_order_is_said_to_be() {
    let setup = Setup::new().plugin("tag", guest("tag"));
    let text =
        config::plugin("tag", "config = { label = \"x\" }") + &config::service("127.0.0.1:1", &["tag"]);
    let (code, told) = setup.check(&text);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn a_plugins_own_configuration_is_checked_at_its_line() {
    let setup = Setup::new().plugin("tag", guest("tag"));
    let text = config::plugin("tag", "config = { label = 7, lable = \"x\" }")
        + &config::service("127.0.0.1:1", &["tag"]);
    let (code, told) = setup.check(&text);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("--> gateway.toml:4:") && told.contains("did you mean `label`"), "{told}");
}

#[test]
fn files_and_variables_that_are_missing_are_problems() {
    let setup = Setup::new();
    let text = config::plugin("gone", "") + &config::service("127.0.0.1:1", &["gone"]);
    let (code, told) = setup.check(&text);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("plugins/gone.wasm"), "{told}");

    let text = "[secrets]\na = \"${env:SLUICE_TEST_NOT_THERE}\"\nb = \"${file:not/there}\"\n".to_owned()
        + &config::service("127.0.0.1:1", &[]);
    let (code, told) = setup.check(&text);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("SLUICE_TEST_NOT_THERE") && told.contains("not/there"), "{told}");
    assert_eq!(setup.run(&["check", "nowhere.toml"]).0, 1);
}

#[test]
fn secrets_come_from_variables_and_files_and_are_never_shown() {
    let setup = Setup::new().file("secret.txt", "sesame-file\n").variable("SECRET", "sesame-env");
    let text = "[secrets]\na = \"${env:SECRET}\"\nb = \"${file:secret.txt}\"\n".to_owned()
        + &config::service("127.0.0.1:1", &[]);
    assert_eq!(setup.check(&text).0, 0);
    let (code, told) = setup.check(&(text + "[routes.bad]\nto = \"nowhere\"\n"));
    assert_eq!(code, 1);
    assert!(!told.contains("sesame"), "{told}");
}

#[test]
fn the_golden_files_come_out_of_the_binary() {
    let directory = root().join("tests/config/valid");
    let mut checked = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            // Those that name modules or variables are for the parser's own tests.
            if text.contains("module =") || text.contains("${") {
                continue;
            }
            let (code, told) = Setup::new().run(&["check", path.to_str().unwrap()]);
            assert_eq!(code, 0, "{}: {told}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn the_schema_is_json_schema() {
    let (code, text) = Setup::new().run(&["schema"]);
    assert_eq!(code, 0);
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(schema["$schema"].as_str().unwrap().contains("2020-12"));
    for table in ["listeners", "upstreams", "plugins", "chains", "routes", "consumers"] {
        assert!(schema["properties"][table].is_object(), "{table}");
    }
}

#[test]
fn mistakes_of_every_stage_are_reported_at_once() {
    let setup = Setup::new()
        .plugin("tag", guest("tag"))
        .plugin("picky", guest("picky"))
        .plugin("store", guest("store"))
        .plugin("cut", &guest("tag")[..1000]);
    setup::write(
        setup.path(),
        "gateway.toml",
        br#"version = 1
[listeners.public]
bind = "127.0.0.1:8080"
[upstreams.orders]
targets = [{ url = "http://127.0.0.1:9000" }]
timeout = { request = "15 parsecs" }
[plugins.tag]
module = "plugins/tag.wasm"
config = { label = 7 }
[plugins.picky]
module = "plugins/picky.wasm"
config = { number = 3 }
[plugins.store]
module = "plugins/store.wasm"
[plugins.cut]
module = "plugins/cut.wasm"
limits = { stack = "2MiB" }
[routes.one]
match = { path = "/same" }
steps = ["tag", "picky", { use = "store", on_error = "explode" }, "store"]
to = "order"
[routes.two]
match = { path = "/same" }
to = "orders"
"#,
    );
    let (code, told) = setup.run(&["check", "gateway.toml"]);
    assert_eq!(code, 1, "{told}");
    let expected = [
        (6, "15 parsecs"),
        (9, "label"),
        (12, "3 is an odd number"),
        (14, "the capability `store`"),
        (16, "`cut` cannot be loaded"),
        (17, "16KiB to 1MiB"),
        (20, "explode"),
        (20, "two steps are named `store`"),
        (21, "did you mean `orders`"),
        (22, "match the same requests"),
    ];
    for (line, word) in expected {
        assert!(told.contains(&format!("--> gateway.toml:{line}:")), "line {line} is not named in\n{told}");
        assert!(told.contains(word), "`{word}` is missing in\n{told}");
    }
    assert!(told.contains(&format!("{} problems", expected.len())), "{told}");
}

#[test]
fn what_follows_from_a_mistake_is_not_reported_as_another() {
    let setup = Setup::new().plugin("tag", guest("tag")).plugin("store", guest("store"));
    let text = config::plugin("tag", "config = { label = \"${env:SLUICE_TEST_NOT_THERE}\" }")
        + &config::plugin("store", "capabilities = [\"stor\"]")
        + &config::service("127.0.0.1:1", &["tag", "store"])
        + "[routes.bad]\nmatch = { path = \"no-slash\" }\nto = \"service\"\n"
        + "[routes.other]\nto = \"service\"\n";
    let (code, told) = setup.check(&text);
    assert_eq!(code, 1, "{told}");
    for word in ["SLUICE_TEST_NOT_THERE", "did you mean `store`", "no-slash", "match the same"] {
        assert!(told.contains(word), "`{word}` is missing in\n{told}");
    }
    assert!(told.contains("4 problems"), "{told}");
}

/// A plugin that refuses its configuration and quotes it.
fn gossip() -> Vec<u8> {
    guests::assemble(
        r#";;! phases request
        (import "sluice:v1/http" "config_read" (func $config_read (param i32 i32) (result i64)))
        (import "sluice:v1/http" "fail" (func $fail (param i32 i32) (result i32)))
        (func (export "sluice_v1_configure") (result i32)
          (drop (call $fail (i32.const 40000)
            (i32.wrap_i64 (call $config_read (i32.const 40000) (i32.const 8000)))))
          (i32.const 2))
        (func (export "sluice_v1_request") (result i32) (i32.const 0))"#,
    )
}

#[test]
fn a_plugins_own_words_do_not_show_what_came_from_outside() {
    let setup =
        Setup::new().plugin("gossip", gossip()).variable("TOKEN", "open \"sesame\"").variable("NO", "1");
    let own = "config = { token = \"Bearer ${env:TOKEN}\", port = \"80${env:NO}\" }";
    let text = config::plugin("gossip", own) + &config::service("127.0.0.1:1", &["gossip"]);
    let (code, told) = setup.check(&text);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("refuses its configuration") && told.contains("Bearer …"), "{told}");
    assert!(told.contains("801"), "what is short is left: {told}");
    assert!(!told.contains("sesame"), "{told}");
}
