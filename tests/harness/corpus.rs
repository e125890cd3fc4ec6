//! Requests written down as data in `tests/corpus`: one case a line, with the escapes of Rust's byte strings.

use std::fs;

use super::echo::Received;
use super::root;

/// The cases of a file: their parts, as they are written.
pub(crate) fn cases(file: &str) -> Vec<Vec<String>> {
    let path = root().join("tests/corpus").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(" | ").map(str::to_owned).collect())
        .collect()
}

/// The bytes that a text with escapes stands for.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("{text}: \\x{digits}"))
            }
            other => panic!("{text}: no escape {other:?}"),
        });
    }
    out
}

/// Fields as they are written: two spaces between, a name up to its first `=`.
pub(crate) fn fields(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    text.split("  ")
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or_else(|| panic!("{text}: no value: {field}"));
            (bytes(name), bytes(value))
        })
        .collect()
}

/// Holds what a server has seen against what a case says: method, target and `Host`, then a body, then fields.
#[track_caller]
pub(crate) fn assert_seen(name: &str, seen: &Received, expected: &[String]) {
    let body = expected.get(1).map_or("-", String::as_str);
    let body = if body == "-" { Vec::new() } else { bytes(body) };
    let host = seen.header("host").unwrap_or_default();
    assert_eq!([&seen.line[0], &seen.line[1], host].join(" "), expected[0], "{name}");
    assert_eq!(String::from_utf8_lossy(&seen.body), String::from_utf8_lossy(&body), "{name}");
    for (field, value) in expected.get(2).map(|text| fields(text)).unwrap_or_default() {
        let lines = seen.headers.iter().filter(|(name, _)| name.as_bytes() == field);
        let values: Vec<&str> = lines.map(|(_, value)| value.as_str()).collect();
        assert_eq!(values.join(", "), String::from_utf8_lossy(&value), "{name}: {field:?}");
    }
}
