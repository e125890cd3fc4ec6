//! JSON as text: reading it token by token without building values, and writing strings and numbers.

use std::borrow::Cow;
use std::io::Write;

use crate::{Error, MAX_DEPTH};

/// A place in a JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// Bytes that may be looked at ahead of their turn.
    ahead: usize,
}

/// What a value begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Null,
    Bool,
    Number,
    String,
    List,
    Object,
}

impl Token {
    /// With its article, for messages.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            Error::syntax(format!("the JSON is not UTF-8 at byte {}", error.valid_up_to()))
        })?;
        Ok(Self { text, bytes: text.as_bytes(), at: 0, depth: 0, ahead: bytes.len().saturating_mul(4) })
    }

    fn wrong(&self, what: &str) -> Error {
        if self.at >= self.bytes.len() {
            return Error::syntax("the JSON ends too early");
        }
        Error::syntax(format!("the JSON has {what} at byte {}", self.at))
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// What comes next.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<Token, Error> {
        self.skip_space();
        Ok(match self.bytes.get(self.at) {
            Some(b'"') => Token::String,
            Some(b'{') => Token::Object,
            Some(b'[') => Token::List,
            Some(b'-' | b'0'..=b'9') => Token::Number,
            Some(b't' | b'f') => Token::Bool,
            Some(b'n') => Token::Null,
            _ => return Err(self.wrong("no value")),
        })
    }

    /// Nothing but space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.skip_space();
        if self.at < self.bytes.len() { Err(self.wrong("something behind its value")) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &str) -> bool {
        let is_there = self.bytes[self.at..].starts_with(literal.as_bytes());
        if is_there {
            self.at += literal.len();
        }
        is_there
    }

    pub(crate) fn null(&mut self) -> Result<(), Error> {
        if self.literal("null") { Ok(()) } else { Err(self.wrong("no value")) }
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Error> {
        if self.literal("true") {
            Ok(true)
        } else if self.literal("false") {
            Ok(false)
        } else {
            Err(self.wrong("no value"))
        }
    }

    /// A number's text, which follows the grammar.
    pub(crate) fn number(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.wrong("no number")),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        if let Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z') = self.bytes.get(self.at) {
            return Err(self.wrong("no number"));
        }
        Ok(&self.text[start..self.at])
    }

    #[inline]
    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.digits();
        if self.at == start { Err(self.wrong("no number")) } else { Ok(()) }
    }

    /// A string; a copy only if it has escapes.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        let start = self.at + 1;
        self.at = start;
        self.plain();
        if self.bytes.get(self.at) == Some(&b'"') {
            let text = &self.text[start..self.at];
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut text = self.text[start..self.at].to_owned();
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(self.wrong("a string with a control character")),
            }
            let start = self.at;
            self.plain();
            text.push_str(&self.text[start..self.at]);
        }
    }

    /// Goes on to a quote, a backslash or what may not be in a string.
    #[inline]
    fn plain(&mut self) {
        self.at += plain_length(&self.bytes[self.at..]);
    }

    fn escape(&mut self) -> Result<char, Error> {
        let letter = self.bytes.get(self.at).copied();
        self.at += 1;
        Ok(match letter {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.unit()?;
                let code = match unit {
                    0xd800..0xdc00 if self.literal("\\u") => {
                        let low = self.unit()?;
                        if !(0xdc00..0xe000).contains(&low) {
                            return Err(self.wrong("half a surrogate pair"));
                        }
                        0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
                    }
                    unit => unit,
                };
                char::from_u32(code).ok_or_else(|| self.wrong("half a surrogate pair"))?
            }
            _ => return Err(self.wrong("an escape that is none")),
        })
    }

    fn unit(&mut self) -> Result<u32, Error> {
        let digits =
            self.bytes.get(self.at..self.at + 4).ok_or_else(|| Error::syntax("the JSON ends too early"))?;
        let mut unit = 0;
        for &digit in digits {
            let digit = char::from(digit).to_digit(16).ok_or_else(|| self.wrong("an escape that is none"))?;
            unit = unit << 4 | digit;
        }
        self.at += 4;
        Ok(unit)
    }

    /// Enters a list or an object. Whether there is anything in it.
    pub(crate) fn open(&mut self, closing: u8) -> Result<bool, Error> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::bound(format!("the JSON is nested deeper than {MAX_DEPTH}")));
        }
        self.skip_space();
        if self.bytes.get(self.at) == Some(&closing) {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Behind a member. Whether another follows.
    #[inline]
    pub(crate) fn more(&mut self, closing: u8) -> Result<bool, Error> {
        self.skip_space();
        match self.bytes.get(self.at) {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if *byte == closing => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(self.wrong("no comma and no end")),
        }
    }

    /// A member's name, and the colon.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>, Error> {
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.wrong("no name of a member"));
        }
        let key = self.string()?;
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.wrong("no colon"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Skips a value, which has to be one.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        match self.peek()? {
            Token::Null => self.null(),
            Token::Bool => self.bool().map(drop),
            Token::Number => self.number().map(drop),
            Token::String => self.string().map(drop),
            Token::List => {
                let mut more = self.open(b']')?;
                while more {
                    self.skip()?;
                    more = self.more(b']')?;
                }
                Ok(())
            }
            Token::Object => {
                let mut more = self.open(b'}')?;
                while more {
                    self.key()?;
                    self.skip()?;
                    more = self.more(b'}')?;
                }
                Ok(())
            }
        }
    }

    /// The text of the member `name` of the object that comes next, which is not left. What is looked at this way is bounded, since
    /// it is looked at again.
    pub(crate) fn member(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Error> {
        let mut ahead = self.clone();
        let mut found = None;
        let mut more = ahead.open(b'}')?;
        while more {
            if ahead.key()? == name {
                if ahead.peek()? != Token::String {
                    return Err(Error::value(format!("`{name}` is no string")));
                }
                found = Some(ahead.string()?);
                break;
            }
            ahead.skip()?;
            more = ahead.more(b'}')?;
        }
        self.ahead = self
            .ahead
            .checked_sub(ahead.at - self.at)
            .ok_or_else(|| Error::bound(format!("too many objects have their `{name}` last")))?;
        Ok(found)
    }
}

/// Appends a string with its quotes.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { break };
        rest = after;
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}

/// The number of bytes before a quote, a backslash or a control character.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // The lowest bit that is set tells the truth; those above it may be set by its borrow.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = control | zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &bytes[at..];
    let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
    at + length.unwrap_or(rest.len())
}

/// A member's name as it is written.
pub(crate) fn key(name: &str) -> Box<[u8]> {
    let mut key = Vec::with_capacity(name.len() + 3);
    put_string(&mut key, name);
    key.push(b':');
    key.into()
}

/// Appends the digits of a number.
pub(crate) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        let digit = (value % 10) as u8;
        digits[at] = b'0' + digit;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    put_u64(out, value.unsigned_abs());
}

/// Appends the shortest text that reads as the same number; a string where JSON has no number for it.
pub(crate) fn put_f64(out: &mut Vec<u8>, value: f64) {
    put_float(out, value, value.abs(), value);
}

/// As [`put_f64`], with as many digits as a `float` needs.
pub(crate) fn put_f32(out: &mut Vec<u8>, value: f32) {
    put_float(out, f64::from(value), f64::from(value.abs()), value);
}

fn put_float(out: &mut Vec<u8>, value: f64, size: f64, shown: impl std::fmt::Display + std::fmt::LowerExp) {
    if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    } else {
        let written = if size == 0.0 || (1e-5..1e17).contains(&size) {
            write!(out, "{shown}")
        } else {
            write!(out, "{shown:e}")
        };
        written.expect("a vector takes what is written");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn skips(text: &str) -> Result<(), Error> {
        let mut reader = Reader::new(text.as_bytes())?;
        reader.skip()?;
        reader.end()
    }

    proptest! {
        #[test]
        fn what_is_json_is_what_serde_json_takes(text in r#"[\[\]{}:, "\\nulltrefas0-9.eE+u-]{0,24}"#) {
            prop_assert_eq!(skips(&text).is_ok(), serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        }

        #[test]
        fn plain_bytes_are_counted(text in r#"[a-c\x00-\x22\x5b-\x5d\x7f-\u{ff}]{0,30}"#) {
            let bytes = text.as_bytes();
            let plain = bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            prop_assert_eq!(plain_length(bytes), plain);
        }

        #[test]
        fn strings_read_as_they_were_written(text: String) {
            let mut out = Vec::new();
            put_string(&mut out, &text);
            prop_assert_eq!(&serde_json::from_slice::<String>(&out).unwrap(), &text);
            let mut reader = Reader::new(&out).unwrap();
            prop_assert_eq!(reader.string().unwrap(), text);
        }

        #[test]
        fn numbers_read_as_they_were_written(value: f64, single: f32, integer: i64) {
            let mut out = Vec::new();
            put_f64(&mut out, value);
            out.push(b' ');
            put_f32(&mut out, single);
            out.push(b' ');
            put_i64(&mut out, integer);
            let text = String::from_utf8(out).unwrap();
            let parts: Vec<_> = text.split(' ').collect();
            prop_assume!(value.is_finite() && single.is_finite());
            prop_assert_eq!(parts[0].parse::<f64>().unwrap(), value);
            prop_assert_eq!(parts[1].parse::<f32>().unwrap(), single);
            prop_assert_eq!(parts[2].parse::<i64>().unwrap(), integer);
            for part in parts {
                prop_assert!(skips(part).is_ok(), "{}", part);
            }
        }
    }

    #[test]
    fn floats_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e16, "10000000000000000"),
            (1e17, "1e17"),
            (1.5e300, "1.5e300"),
            (1e-7, "1e-7"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let mut out = Vec::new();
            put_f64(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = Vec::new();
        put_f32(&mut out, 0.1);
        assert_eq!(out, b"0.1");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(skips(&nested(100)).is_ok());
        assert_eq!(skips(&nested(101)).unwrap_err().kind(), crate::ErrorKind::Bound);
        assert!(skips(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn halves_of_pairs_are_refused() {
        for text in
            [r#""\ud800""#, r#""\ud800\ud800""#, r#""\udc00""#, r#""\ud800x""#, r#""\u12""#, r#""\x""#]
        {
            assert!(Reader::new(text.as_bytes()).unwrap().string().is_err(), "{text}");
        }
        assert_eq!(Reader::new(br#""\ud83d\ude00\u00e9""#).unwrap().string().unwrap(), "😀é");
    }
}
