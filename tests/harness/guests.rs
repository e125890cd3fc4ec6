//! Guests: plugins that do one thing, mostly one that a plugin should not do. See `tests/guests/README.md`.

use std::fmt::Write as _;
use std::fs;

use super::client::Response;
use super::root;
use super::seal::seal;

/// A guest, sealed: from `tests/guests/text/<name>.wat`, or as `cargo xtask guests` built it.
#[track_caller]
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let text = root().join(format!("tests/guests/text/{name}.wat"));
    if let Ok(text) = fs::read_to_string(&text) {
        return assemble(&text);
    }
    let built = root().join(format!("target/guests/{name}.wasm"));
    fs::read(&built)
        .unwrap_or_else(|error| panic!("{}: {error}\n\nhint: run `cargo xtask guests`", built.display()))
}

/// The guest `tag` as if it had been built as this version.
pub(crate) fn tag(version: u32) -> Vec<u8> {
    const BUILT: &[u8] = b"build-000000";
    let mut module = guest("tag");
    let at = module.windows(BUILT.len()).position(|window| window == BUILT).expect("the guest's mark");
    module[at..at + BUILT.len()].copy_from_slice(format!("build-{version:06}").as_bytes());
    seal(&module)
}

/// What is wrong with a response that passed the guest `tag` and should be wholly from one version of it: request,
/// response and body carry its mark.
pub(crate) fn mixed(response: &Response) -> Option<String> {
    if response.status != 200 {
        return Some(format!("status {}: {}", response.status, response.text()));
    }
    let text = response.text();
    let (echo, in_body) = text.rsplit_once('\n')?;
    let in_head = response.header("x-tag").unwrap_or_default();
    let whole = in_head == in_body && echo.contains(&format!("\"x-tag\": \"{in_head}\""));
    (!whole).then(|| format!("head {in_head}, body {text}"))
}

/// Makes a sealed module of a guest's text.
///
/// The text is a module's inside: its own imports first. Around it come `header_get`, a memory, a descriptor,
/// `configure` and `$misbehaves`. Lines beginning with `;;!` say what of that should differ:
/// `phases NAMES`, `capabilities NAMES`, `descriptor TEXT` (in place of a good one), `without EXPORT`.
#[track_caller]
pub(crate) fn assemble(text: &str) -> Vec<u8> {
    let directive = |name: &str| {
        text.lines()
            .filter_map(|line| line.strip_prefix(";;!")?.trim().strip_prefix(name))
            .map(str::trim)
            .next()
    };
    let names = |name: &str| {
        let list: Vec<_> = directive(name)
            .unwrap_or_default()
            .split_whitespace()
            .map(|name| format!("\"{name}\""))
            .collect();
        list.join(",")
    };
    let descriptor = directive("descriptor").map_or_else(
        || {
            format!(
                r#"{{"abi":1,"name":"guest","version":"1.0.0","phases":[{}],"capabilities":[{}],"config_schema":true}}"#,
                names("phases"),
                names("capabilities"),
            )
        },
        str::to_owned,
    );
    let mut module = format!(
        r#"(module
        (import "sluice:v1/http" "header_get" (func $header_get (param i32 i32 i32 i32 i32) (result i64)))
        {text}
        (data (i32.const 0) "{}")
        (data (i32.const 60000) "x-misbehave")
        ;; Whether the headers of a map (0 request, 1 response) carry the mark.
        (func $misbehaves (param $map i32) (result i32)
          (i64.ge_s
            (call $header_get (local.get $map) (i32.const 60000) (i32.const 11) (i32.const 0) (i32.const 0))
            (i64.const 0)))
        "#,
        descriptor.replace('\\', "\\\\").replace('"', "\\\""),
    );
    let exports = [
        ("memory", r#"(memory (export "memory") 1)"#.to_owned(), "(memory 1)".to_owned()),
        (
            "sluice_v1_describe",
            format!(r#"(func (export "sluice_v1_describe") (result i64) (i64.const {}))"#, descriptor.len()),
            String::new(),
        ),
        (
            "sluice_v1_configure",
            r#"(func (export "sluice_v1_configure") (result i32) (i32.const 0))"#.to_owned(),
            String::new(),
        ),
    ];
    let without = directive("without").unwrap_or_default();
    for (name, given, instead) in exports {
        // A guest may bring its own.
        if name == without {
            let _ = writeln!(module, "{instead}");
        } else if !text.contains(&format!("(export \"{name}\")")) {
            let _ = writeln!(module, "{given}");
        }
    }
    module.push(')');
    seal(&wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}")))
}
