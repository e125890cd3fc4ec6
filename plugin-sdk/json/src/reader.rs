//! The grammar. What is open is on the heap.

use std::borrow::Cow;
use std::mem;

use crate::{Bounds, Build, Unreadable};

/// Reads one value, with nothing but blanks around it. A byte order mark is nothing of JSON's: who allows one takes it off.
pub fn read<V: Build>(text: &[u8], bounds: Bounds) -> Result<V, Unreadable<V::Refused>> {
    // A text of JSON is UTF-8, so that strings need no check of their own.
    let text = std::str::from_utf8(text).map_err(|error| Unreadable::Malformed(error.valid_up_to()))?;
    let mut reader = Reader { text, at: 0, bounds, open: Vec::new() };
    let value = reader.value()?;
    reader.blanks();
    if reader.at == text.len() { Ok(value) } else { Err(reader.malformed()) }
}

struct Reader<'a, V: Build> {
    text: &'a str,
    at: usize,
    /// Of the values, those that may still come.
    bounds: Bounds,
    open: Vec<Open<'a, V>>,
}

/// An array or object that has begun.
enum Open<'a, V: Build> {
    Array(Vec<V>),
    /// With the name of the member at hand.
    Object(V::Members, Cow<'a, str>),
}

impl<'a, V: Build> Reader<'a, V> {
    #[cold]
    fn malformed(&self) -> Unreadable<V::Refused> {
        Unreadable::Malformed(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
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

    fn expect(&mut self, word: &str) -> Result<(), Unreadable<V::Refused>> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(())
    }

    fn value(&mut self) -> Result<V, Unreadable<V::Refused>> {
        loop {
            let Some(mut value) = self.begin()? else { continue };
            // A value that is whole may be the last of what it is in, which is whole then.
            loop {
                let has_more = match self.open.last_mut() {
                    None => return Ok(value),
                    Some(Open::Array(items)) => {
                        items.push(value);
                        self.goes_on(b']')?
                    }
                    Some(Open::Object(members, name)) => {
                        V::member(members, mem::take(name), value);
                        self.goes_on(b'}')?
                    }
                };
                if has_more {
                    self.name()?;
                    break;
                }
                value = match self.open.pop() {
                    Some(Open::Array(items)) => V::array(items),
                    Some(Open::Object(members, _)) => V::object(members).map_err(Unreadable::Refused)?,
                    None => return Err(self.malformed()),
                };
            }
        }
    }

    /// A value, unless it is an array or object in which something stands: that is open then.
    fn begin(&mut self) -> Result<Option<V>, Unreadable<V::Refused>> {
        self.bounds.values = self.bounds.values.checked_sub(1).ok_or(Unreadable::TooMany)?;
        self.blanks();
        let value = match self.peek().ok_or_else(|| self.malformed())? {
            b'n' => self.expect("null").map(|()| V::null())?,
            b't' => self.expect("true").map(|()| V::boolean(true))?,
            b'f' => self.expect("false").map(|()| V::boolean(false))?,
            b'"' => V::string(self.string()?),
            b'[' => {
                self.enter()?;
                if !self.takes(b']') {
                    self.open.push(Open::Array(Vec::new()));
                    return Ok(None);
                }
                V::array(Vec::new())
            }
            b'{' => {
                self.enter()?;
                let members = V::Members::default();
                if !self.takes(b'}') {
                    self.open.push(Open::Object(members, Cow::Borrowed("")));
                    self.name()?;
                    return Ok(None);
                }
                V::object(members).map_err(Unreadable::Refused)?
            }
            _ => V::number(self.number()?),
        };
        Ok(Some(value))
    }

    /// Passes a bracket.
    fn enter(&mut self) -> Result<(), Unreadable<V::Refused>> {
        if self.open.len() >= self.bounds.depth {
            return Err(Unreadable::TooDeep);
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Takes the name of the next member, if it is an object that is open.
    fn name(&mut self) -> Result<(), Unreadable<V::Refused>> {
        if !matches!(self.open.last(), Some(Open::Object(..))) {
            return Ok(());
        }
        self.blanks();
        let read = self.string()?;
        self.blanks();
        self.expect(":")?;
        if let Some(Open::Object(_, name)) = self.open.last_mut() {
            *name = read;
        }
        Ok(())
    }

    /// Takes a comma, or the end.
    fn goes_on(&mut self, end: u8) -> Result<bool, Unreadable<V::Refused>> {
        self.blanks();
        if self.takes(b',') {
            return Ok(true);
        }
        if self.takes(end) { Ok(false) } else { Err(self.malformed()) }
    }

    fn number(&mut self) -> Result<&'a str, Unreadable<V::Refused>> {
        let start = self.at;
        self.takes(b'-');
        let digits = self.digits()?;
        if digits.len() > 1 && digits.starts_with('0') {
            self.at = start;
            return Err(self.malformed());
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<&'a str, Unreadable<V::Refused>> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() { Err(self.malformed()) } else { Ok(digits) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Unreadable<V::Refused>> {
        self.expect("\"")?;
        let plain = self.plain();
        if self.takes(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut string = plain.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(string));
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

    fn escape(&mut self) -> Result<char, Unreadable<V::Refused>> {
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

    /// `\uXXXX`, or two of them.
    fn code_point(&mut self) -> Result<char, Unreadable<V::Refused>> {
        let start = self.at;
        let mut code = self.unit()?;
        if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with("\\u") {
            let behind = self.at;
            let second = self.unit()?;
            if (0xdc00..0xe000).contains(&second) {
                code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
            } else {
                self.at = behind;
            }
        }
        char::from_u32(code).or(V::HALF_OF_PAIR).ok_or(Unreadable::Malformed(start))
    }

    fn unit(&mut self) -> Result<u32, Unreadable<V::Refused>> {
        let digits = self.text.get(self.at + 2..self.at + 6);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.malformed())?;
        self.at += 6;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests;
