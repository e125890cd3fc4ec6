//! The guests of the measurements, in text: raw enough that nothing but the host's work is measured.

use sluice_abi::{Algorithm, Mode, Take};

/// Host calls in one call of a guest that makes many.
pub(crate) const MANY: u32 = 1_000;

/// Its answer in both phases is to continue.
pub(crate) fn noop() -> Vec<u8> {
    assemble("", "", "", "\"request\",\"response\"", "")
}

/// Reads one header, again and again.
pub(crate) fn header_get() -> Vec<u8> {
    let import =
        r#"(import "sluice:v1/http" "header_get" (func $call (param i32 i32 i32 i32 i32) (result i64)))"#;
    let call = "(call $call (i32.const 0) (i32.const 1024) (i32.const 9) (i32.const 2048) (i32.const 256))";
    let data = r#"(data (i32.const 1024) "x-api-key")"#;
    assemble(import, data, &repeat(&format!("(i64.lt_s {call} (i64.const 0))")), "\"request\"", "")
}

/// Writes one header, again and again.
pub(crate) fn header_set() -> Vec<u8> {
    let import =
        r#"(import "sluice:v1/http" "header_set" (func $call (param i32 i32 i32 i32 i32) (result i32)))"#;
    let call = "(call $call (i32.const 0) (i32.const 1024) (i32.const 10) (i32.const 1034) (i32.const 4))";
    let data = r#"(data (i32.const 1024) "x-consumerdemo")"#;
    assemble(import, data, &repeat(&format!("(i32.lt_s {call} (i32.const 0))")), "\"request\"", "")
}

/// Takes from one limit, again and again.
pub(crate) fn store_take() -> Vec<u8> {
    let message = Take::encode_all(&[take()]);
    let length = message.len();
    let import = r#"(import "sluice:v1/store" "take" (func $call (param i32 i32 i32 i32) (result i64)))"#;
    let call = format!("(call $call (i32.const 1024) (i32.const {length}) (i32.const 2048) (i32.const 256))");
    let bytes: String = message.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let data = format!(r#"(data (i32.const 1024) "{bytes}")"#);
    let body = repeat(&format!("(i64.lt_s {call} (i64.const 0))"));
    assemble(import, &data, &body, "\"request\"", "\"store\"")
}

/// From a limit that no run exhausts.
pub(crate) fn take() -> Take {
    Take {
        key: b"consumer:demo".to_vec(),
        algorithm: Algorithm::Gcra,
        quota: 1_000_000_000,
        window_ms: 1_000,
        cost: 1,
        mode: Mode::Try,
        holder: Vec::new(),
    }
}

/// A loop that ends at once, as a fault, where a call went wrong.
fn repeat(went_wrong: &str) -> String {
    format!(
        "(local $left i32)
         (local.set $left (i32.const {MANY}))
         (loop $again
           (if {went_wrong} (then (unreachable)))
           (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    )
}

fn assemble(import: &str, data: &str, request: &str, phases: &str, capabilities: &str) -> Vec<u8> {
    let descriptor = format!(
        r#"{{"abi":1,"name":"guest","version":"1.0.0","phases":[{phases}],"capabilities":[{capabilities}],"config_schema":true}}"#
    );
    let response = if phases.contains("response") {
        r#"(func (export "sluice_v1_response") (result i32) (i32.const 0))"#
    } else {
        ""
    };
    let text = format!(
        r#"(module
        {import}
        (memory (export "memory") 1)
        (data (i32.const 0) "{}")
        {data}
        (func (export "sluice_v1_describe") (result i64) (i64.const {}))
        (func (export "sluice_v1_configure") (result i32) (i32.const 0))
        (func (export "sluice_v1_request") (result i32) {request} (i32.const 0))
        {response})"#,
        descriptor.replace('"', "\\\""),
        descriptor.len(),
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}
