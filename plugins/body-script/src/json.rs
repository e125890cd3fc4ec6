//! JSON as RFC 8259 has it, to and from the values of jq: bounded, and with every number kept as it was written.

use std::fmt::Write as _;

use crate::value::{Map, Num, Val};

/// How deep values may be nested, in a body and in what a filter makes of it. Reading, walking and dropping a value
/// take stack for each level.
pub(crate) const MAX_DEPTH: usize = 128;

/// Why a text was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not JSON, from this byte on.
    Malformed(usize),
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
    /// More values than the caller allows.
    TooMany,
}

/// Reads one value. `most` bounds how many values it may consist of.
pub(crate) fn read(text: &[u8], most: usize) -> Result<Val, Refused> {
    // A text of JSON is UTF-8, so that strings need no check of their own.
    let text = std::str::from_utf8(text).map_err(|error| Refused::Malformed(error.valid_up_to()))?;
    let mut reader = Reader { text, at: 0, left: most };
    let value = reader.value(MAX_DEPTH)?;
    reader.blanks();
    if reader.at == text.len() { Ok(value) } else { Err(reader.malformed()) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    left: usize,
}

impl<'a> Reader<'a> {
    fn malformed(&self) -> Refused {
        Refused::Malformed(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        let taken = &self.text[self.at..self.at + length];
        self.at += length;
        taken
    }

    fn expect(&mut self, word: &str) -> Result<(), Refused> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Val, Refused> {
        self.left = self.left.checked_sub(1).ok_or(Refused::TooMany)?;
        self.blanks();
        match self.peek().ok_or_else(|| self.malformed())? {
            b'n' => self.expect("null").map(|()| Val::Null),
            b't' => self.expect("true").map(|()| Val::Bool(true)),
            b'f' => self.expect("false").map(|()| Val::Bool(false)),
            b'"' => self.string().map(Val::from),
            b'[' => self.array(depth.checked_sub(1).ok_or(Refused::TooDeep)?),
            b'{' => self.object(depth.checked_sub(1).ok_or(Refused::TooDeep)?),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Val, Refused> {
        let mut values = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() != Some(b']') {
            loop {
                values.push(self.value(depth)?);
                if !self.goes_on(b']')? {
                    break;
                }
            }
        } else {
            self.at += 1;
        }
        Ok(Val::array(values))
    }

    fn object(&mut self, depth: usize) -> Result<Val, Refused> {
        let mut members = Map::default();
        self.at += 1;
        self.blanks();
        if self.peek() != Some(b'}') {
            loop {
                self.blanks();
                let name = self.string()?;
                self.blanks();
                self.expect(":")?;
                // As in jq, of several members of one name the last one counts.
                members.insert(name.into(), self.value(depth)?);
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        } else {
            self.at += 1;
        }
        Ok(Val::object(members))
    }

    /// Takes a comma, or the end.
    fn goes_on(&mut self, end: u8) -> Result<bool, Refused> {
        self.blanks();
        let found = self.peek();
        if found != Some(b',') && found != Some(end) {
            return Err(self.malformed());
        }
        self.at += 1;
        Ok(found == Some(b','))
    }

    fn number(&mut self) -> Result<Val, Refused> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let digits = self.digits()?;
        if digits.len() > 1 && digits.starts_with('0') {
            self.at = start;
            return Err(self.malformed());
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Val::Num(Num::written(&self.text[start..self.at])))
    }

    fn digits(&mut self) -> Result<&'a str, Refused> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() { Err(self.malformed()) } else { Ok(digits) }
    }

    fn string(&mut self) -> Result<String, Refused> {
        self.expect("\"")?;
        let mut string = self.plain().to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                _ => return Err(self.malformed()),
            }
            string.push_str(self.plain());
        }
    }

    /// Characters that stand for themselves.
    fn plain(&mut self) -> &'a str {
        self.take_while(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
    }

    fn escape(&mut self) -> Result<char, Refused> {
        let escape = self.text.as_bytes().get(self.at + 1).copied();
        let character = match escape {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return Err(self.malformed()),
        };
        self.at += 2;
        Ok(character)
    }

    /// `\uXXXX`, or two of them; half a pair is no character and becomes the replacement character, as in jq.
    fn code_point(&mut self) -> Result<char, Refused> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) || !self.text[self.at..].starts_with("\\u") {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        let second = self.unit()?;
        if !(0xdc00..0xe000).contains(&second) {
            self.at = before;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn unit(&mut self) -> Result<u32, Refused> {
        let digits = self.text.get(self.at + 2..self.at + 6).filter(|digits| digits.bytes().all(is_hex));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.malformed())?;
        self.at += 6;
        Ok(unit)
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
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
        fn the_same_texts_are_json_as_for_serde_json(text in r#"[\[\]{},:"\\u0-9dDaAeE+.tfn \n\-\x01é]{0,24}"#) {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(passed(&text).is_ok(), theirs, "{}", text);
        }

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
