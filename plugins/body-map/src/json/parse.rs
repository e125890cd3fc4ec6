//! Reads JSON (RFC 8259) strictly: depth and memory bounded, no name twice in an object, every error with its place.

use std::borrow::Cow;
use std::fmt;

use super::{Json, MAX_DEPTH, Member, Number, VALUE_COST};

/// Why a text is not read, and where.
#[derive(Debug, PartialEq)]
pub(crate) struct Unreadable {
    pub(crate) reason: Reason,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Reason {
    /// It is not JSON: what should stand there instead.
    Malformed(&'static str),
    /// An object has this name twice, and who reads it further on may take the other one.
    Duplicate(String),
    TooDeep,
    TooLarge,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Malformed(reason) => f.write_str(reason)?,
            Reason::Duplicate(name) => write!(f, "the member `{}` occurs twice", name.escape_debug())?,
            Reason::TooDeep => write!(f, "more than {MAX_DEPTH} arrays and objects within one another")?,
            Reason::TooLarge => f.write_str("more values than there is memory for")?,
        }
        write!(f, " at line {}, column {}", self.line, self.column)
    }
}

/// Names beyond this many bytes are cut in messages.
const SHOWN: usize = 64;

/// Reads a text into a document that costs at most `budget`. A byte order mark before it is passed over (RFC 8259 section 8.1).
pub(crate) fn parse(bytes: &[u8], budget: usize) -> Result<Json<'_>, Unreadable> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| place(bytes, error.valid_up_to(), Reason::Malformed("it is not UTF-8")))?;
    let mut parser = Parser { text, bytes, at: 0, depth: 0, left: budget };
    parser.document().map_err(|reason| place(bytes, parser.at, reason))
}

#[cold]
fn place(bytes: &[u8], at: usize, reason: Reason) -> Unreadable {
    let before = &bytes[..at.min(bytes.len())];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before[line_start..].iter().filter(|byte| **byte & 0xc0 != 0x80).count() + 1;
    Unreadable { reason, line, column }
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    left: usize,
}

impl<'a> Parser<'a> {
    fn document(&mut self) -> Result<Json<'a>, Reason> {
        self.blanks();
        let value = self.value()?;
        self.blanks();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(Reason::Malformed("something follows the value")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn charge(&mut self, cost: usize) -> Result<(), Reason> {
        self.left = self.left.checked_sub(cost).ok_or(Reason::TooLarge)?;
        Ok(())
    }

    fn value(&mut self) -> Result<Json<'a>, Reason> {
        self.charge(VALUE_COST)?;
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Json::Number),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(Reason::Malformed("a value is missing")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json<'a>, Reason>) -> Result<Json<'a>, Reason> {
        if self.depth == MAX_DEPTH {
            return Err(Reason::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        self.blanks();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json<'a>, Reason> {
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.eat(b']') {
                // Room for what did not come would count many times over in a document of small arrays.
                items.shrink_to_fit();
                return Ok(Json::Array(items));
            }
            if !self.eat(b',') {
                return Err(Reason::Malformed("a `,` or `]` is missing"));
            }
            self.blanks();
        }
    }

    fn object(&mut self) -> Result<Json<'a>, Reason> {
        let mut members: Vec<Member<'a>> = Vec::new();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(Reason::Malformed("a member's name in quotes is missing"));
            }
            let name = self.string()?;
            self.blanks();
            if !self.eat(b':') {
                return Err(Reason::Malformed("a `:` is missing"));
            }
            self.blanks();
            members.push((name, self.value()?));
            self.blanks();
            if self.eat(b'}') {
                members.shrink_to_fit();
                unique(&members)?;
                return Ok(Json::Object(members));
            }
            if !self.eat(b',') {
                return Err(Reason::Malformed("a `,` or `}` is missing"));
            }
            self.blanks();
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Reason> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(Reason::Malformed("a value is missing"))
        }
    }

    fn number(&mut self) -> Result<Number<'a>, Reason> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        self.charge(self.at - start)?;
        Ok(Number::trusted(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Result<(), Reason> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(Reason::Malformed("a digit is missing"));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Reason> {
        self.at += 1;
        let mut unescaped: Option<String> = None;
        let opened = self.at;
        let mut start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = &self.text[start..self.at];
                    self.charge(self.at - opened)?;
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(rest),
                        Some(text) => Cow::Owned(text + rest),
                    });
                }
                Some(b'\\') => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(&self.text[start..self.at]);
                    self.at += 1;
                    let character = self.escape()?;
                    text.push(character);
                    start = self.at;
                }
                Some(0..b' ') => return Err(Reason::Malformed("a control character stands in a string")),
                Some(_) => self.at += plain(&self.bytes[self.at..]),
                None => return Err(Reason::Malformed("a string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Reason> {
        let Some(escaped) = self.peek() else { return Err(Reason::Malformed("a string does not end")) };
        let character = match escaped {
            b'"' | b'\\' | b'/' => char::from(escaped),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(Reason::Malformed("there is no such escape")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, Reason> {
        const LONE: Reason = Reason::Malformed("half of a surrogate pair stands in a string");
        let first = self.hex4()?;
        let code = match first {
            0xd800..0xdc00 => {
                if !(self.eat(b'\\') && self.eat(b'u')) {
                    return Err(LONE);
                }
                match self.hex4()? {
                    second @ 0xdc00..0xe000 => 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => return Err(LONE),
                }
            }
            code => code,
        };
        char::from_u32(code).ok_or(LONE)
    }

    fn hex4(&mut self) -> Result<u32, Reason> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let mut code = 0;
        if digits.len() < 4 {
            return Err(Reason::Malformed("a `\\u` wants four hexadecimal digits"));
        }
        for digit in digits {
            let Some(digit) = char::from(*digit).to_digit(16) else {
                return Err(Reason::Malformed("a `\\u` wants four hexadecimal digits"));
            };
            code = code << 4 | digit;
        }
        self.at += 4;
        Ok(code)
    }
}

/// How many bytes of a string stand for themselves.
fn plain(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| matches!(byte, 0..b' ' | b'"' | b'\\')).unwrap_or(bytes.len())
}

/// Finds a name that occurs twice, without comparing all with all.
fn unique(members: &[Member<'_>]) -> Result<(), Reason> {
    let twice = if members.len() <= super::FEW {
        let is_known =
            |&(at, (name, _)): &(usize, &Member<'_>)| members[..at].iter().any(|(known, _)| known == name);
        members.iter().enumerate().find(is_known).map(|(_, (name, _))| &**name)
    } else {
        let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    };
    match twice {
        None => Ok(()),
        Some(name) => Err(Reason::Duplicate(name[..name.floor_char_boundary(SHOWN)].to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sluice_sdk::serde_json;

    use super::super::{LEAST_BUDGET, write};
    use super::*;

    fn again(text: &str) -> Result<String, String> {
        let value = parse(text.as_bytes(), LEAST_BUDGET).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(write(&value, 1 << 20).unwrap()).unwrap())
    }

    #[test]
    fn numbers_and_order_stay_as_they_were() {
        let text = r#"{"z":1.0,"a":1e5,"m":-0,"big":123456789012345678901234567890.10,"e":1E-7}"#;
        assert_eq!(again(text).unwrap(), text);
    }

    #[test]
    fn texts_are_read_and_written() {
        let text = " \u{feff}\"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\"\\\\\\u0001\"\n";
        assert_eq!(again(text.trim_start()).unwrap(), "\"é😀/\\u0008\\u000c\\n\\r\\t\\\"\\\\\\u0001\"");
    }

    #[test]
    fn errors_name_their_place() {
        for (text, error) in [
            ("", "a value is missing at line 1, column 1"),
            ("{\n  \"é\": tru}", "a value is missing at line 2, column 8"),
            ("[1,]", "a value is missing at line 1, column 4"),
            ("[1 2]", "a `,` or `]` is missing at line 1, column 4"),
            ("{1:2}", "a member's name in quotes is missing at line 1, column 2"),
            ("{\"a\" 1}", "a `:` is missing at line 1, column 6"),
            ("[01]", "a `,` or `]` is missing at line 1, column 3"),
            ("-", "a digit is missing at line 1, column 2"),
            ("1.e5", "a digit is missing at line 1, column 3"),
            ("\"a\u{1}\"", "a control character stands in a string at line 1, column 3"),
            (r#""\ud800\u0041""#, "half of a surrogate pair stands in a string at line 1, column 14"),
            (r#""\udc00""#, "half of a surrogate pair stands in a string at line 1, column 8"),
            (r#""\u00g0""#, "a `\\u` wants four hexadecimal digits at line 1, column 4"),
            (r#""\x""#, "there is no such escape at line 1, column 3"),
            ("\"a", "a string does not end at line 1, column 3"),
            ("1 1", "something follows the value at line 1, column 3"),
            ("{\"a\":1,\n\"\\u0061\":2}", "the member `a` occurs twice at line 2, column 12"),
        ] {
            assert_eq!(again(text).unwrap_err(), error, "{text}");
        }
        let error = parse(b"[\"\xc3\xa9\xff\"]", LEAST_BUDGET).unwrap_err().to_string();
        assert_eq!(error, "it is not UTF-8 at line 1, column 4");
    }

    #[test]
    fn many_names_are_compared_too() {
        let names: Vec<String> = (0..40).map(|n| format!("\"{}\":0", n % 39)).collect();
        assert!(again(&format!("{{{}}}", names.join(","))).unwrap_err().contains("`0` occurs twice"));
        assert!(again(&format!("{{{}}}", names[..39].join(","))).is_ok());
    }

    #[test]
    fn depth_and_memory_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(again(&nested(MAX_DEPTH)).is_ok());
        assert!(again(&nested(MAX_DEPTH + 1)).unwrap_err().starts_with("more than 128 arrays"));
        assert!(again(&"[".repeat(1 << 20)).unwrap_err().starts_with("more than 128 arrays"));
        let many = format!("[{}0]", "0,".repeat(LEAST_BUDGET / VALUE_COST));
        assert!(again(&many).unwrap_err().starts_with("more values than there is memory for"));
    }

    proptest! {
        /// Except for names that occur twice and numbers too large for it, serde_json is as strict.
        #[test]
        fn it_accepts_what_serde_json_accepts(text in r#"[\[\]{}",: 01.eE+\-\\abtrufalsn/\n]{0,12}"#) {
            let theirs = match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(_) => true,
                Err(error) => error.to_string().starts_with("number out of range"),
            };
            let ours = match parse(text.as_bytes(), LEAST_BUDGET) {
                Ok(_) => true,
                Err(error) => matches!(error.reason, Reason::Duplicate(_)),
            };
            prop_assert_eq!(ours, theirs, "{}", text);
        }

        #[test]
        fn what_is_written_reads_the_same(text: String, number: f64, deep in 0_usize..20) {
            let value = serde_json::json!({ "text": text, "number": number, &text: [text, null, true] });
            let nested = format!("{}{value}{}", "[".repeat(deep), "]".repeat(deep));
            prop_assert_eq!(again(&nested).unwrap(), nested);
        }

        #[test]
        fn nothing_makes_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes, LEAST_BUDGET);
        }
    }
}
