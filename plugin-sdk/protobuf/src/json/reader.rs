//! Reading JSON token by token, without building values.

use std::borrow::Cow;

use super::plain_length;
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
