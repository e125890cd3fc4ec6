//! JSON as RFC 8259 has it, to and from the values of jq: bounded, and with every number kept as it was written.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Write as _;

use sluice_sdk_json::{Bounds, Build, Unreadable};

use crate::value::{Map, Num, Val};

/// How deep values may be nested, in a body and in what a filter makes of it. Walking and dropping a value take stack
/// for each level.
pub(crate) const MAX_DEPTH: usize = 128;

/// Why a text was not read: not JSON, more than [`MAX_DEPTH`] levels, or more values than the caller allows.
pub(crate) type Refused = Unreadable<Infallible>;

/// Reads one value. `most` bounds how many values it may consist of.
pub(crate) fn read(text: &[u8], most: usize) -> Result<Val, Refused> {
    sluice_sdk_json::read(text, Bounds { depth: MAX_DEPTH, values: most })
}

impl Build for Val {
    type Members = Map;
    type Refused = Infallible;
    /// As in jq.
    const HALF_OF_PAIR: Option<char> = Some(char::REPLACEMENT_CHARACTER);

    fn null() -> Self {
        Self::Null
    }

    fn boolean(value: bool) -> Self {
        Self::Bool(value)
    }

    fn number(written: &str) -> Self {
        Self::Num(Num::written(written))
    }

    fn string(text: Cow<'_, str>) -> Self {
        Self::Str(text.into())
    }

    fn array(items: Vec<Self>) -> Self {
        Self::array(items)
    }

    /// As in jq, of several members of one name the last one counts.
    fn member(members: &mut Map, name: Cow<'_, str>, value: Self) {
        members.insert(name.into(), value);
    }

    fn object(members: Map) -> Result<Self, Infallible> {
        Ok(Self::object(members))
    }
}

/// Writes a value. `None` if it is nested deeper than [`MAX_DEPTH`].
pub(crate) fn write(value: &Val) -> Option<String> {
    let mut text = String::new();
    append(&mut text, value, MAX_DEPTH)?;
    Some(text)
}

fn append(text: &mut String, value: &Val, depth: usize) -> Option<()> {
    match value {
        Val::Null => text.push_str("null"),
        Val::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        // Writing to a string cannot fail.
        Val::Num(number) => drop(write!(text, "{number}")),
        Val::Str(string) => append_string(text, string),
        Val::Arr(values) => {
            let depth = depth.checked_sub(1)?;
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                append(text, value, depth)?;
            }
            text.push(']');
        }
        Val::Obj(members) => {
            let depth = depth.checked_sub(1)?;
            text.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                append_string(text, name);
                text.push(':');
                append(text, value, depth)?;
            }
            text.push('}');
        }
    }
    Some(())
}

fn append_string(text: &mut String, string: &str) {
    text.push('"');
    let mut rest = string;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\' || c == '\u{7f}') {
        text.push_str(&rest[..at]);
        let byte = rest.as_bytes()[at];
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x08 => text.push_str("\\b"),
            0x0c => text.push_str("\\f"),
            _ => {
                let _ = write!(text, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passed(text: &str) -> Result<String, Refused> {
        read(text.as_bytes(), 1000).map(|value| write(&value).expect("what was read is not too deep"))
    }

    #[test]
    fn a_text_is_read_and_written() {
        for (text, written) in [
            (" [ 1 , {\"a\" : null, \"b\":[]} ]\r\n", "[1,{\"a\":null,\"b\":[]}]"),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (
                r#""\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\\u0000\u007f""#,
                "\"é😀/\\b\\f\\n\\r\\t\\\"\\\\\\u0000\\u007f\"",
            ),
            (
                r#"["\ud83d","\ude00","\ud83dx","\ud83d\ud83d\ude00"]"#,
                "[\"\u{fffd}\",\"\u{fffd}\",\"\u{fffd}x\",\"\u{fffd}😀\"]",
            ),
        ] {
            assert_eq!(passed(text).as_deref(), Ok(written));
        }
        for (text, at) in [
            ("", 0),
            ("[1,]", 3),
            ("01", 0),
            ("1 2", 2),
            ("\"\\x\"", 1),
            ("\"\\ud8\"", 1),
            ("nul", 0),
            ("-", 1),
        ] {
            assert_eq!(passed(text), Err(Refused::Malformed(at)), "{text}");
        }
        assert_eq!(read(b"\"\xff\"", 9).err(), Some(Refused::Malformed(1)));
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(passed(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(passed(&nested(MAX_DEPTH + 1)), Err(Refused::TooDeep));
        assert_eq!(passed(&"{\"a\":".repeat(MAX_DEPTH + 1)), Err(Refused::TooDeep));
        assert!(read(b"[1,2]", 3).is_ok());
        assert_eq!(read(b"[1,2]", 2).err(), Some(Refused::TooMany));
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_and_means_the_same(
            words in proptest::collection::vec((any::<String>(), any::<i64>(), any::<f64>()), 0..8),
        ) {
            let text = serde_json::json!(words).to_string();
            let passed = passed(&text).expect("it is JSON");
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("it is JSON");
            prop_assert_eq!(read(&passed), read(&text));
        }
    }
}
