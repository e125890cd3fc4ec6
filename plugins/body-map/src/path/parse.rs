//! Parses queries: segments and selectors. RFC 9535 section 2, whose grammar the functions follow.

use sluice_sdk::prelude::*;

use super::{Query, Segment, Selector};

/// Filters and parentheses within one another.
const MAX_NESTING: usize = 32;

/// The bounds of I-JSON's exact integers (section 2.1).
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Parses a whole query, which begins at the root.
pub(super) fn path(text: &str) -> Result<Query> {
    let mut parser = Parser { text, at: 0, nesting: 0 };
    let result = parser.whole();
    result.context(format_args!("`{text}` is not a JSONPath, at character {}", parser.column()))
}

pub(super) struct Parser<'t> {
    text: &'t str,
    at: usize,
    nesting: usize,
}

impl<'t> Parser<'t> {
    fn whole(&mut self) -> Result<Query> {
        ensure!(self.eat("$"), "it does not begin with `$`");
        let segments = self.segments()?;
        ensure!(self.rest().is_empty(), "what follows makes no sense");
        Ok(Query { absolute: true, segments })
    }

    fn column(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn eat(&mut self, word: &str) -> bool {
        let there = self.rest().starts_with(word);
        self.at += if there { word.len() } else { 0 };
        there
    }

    pub(super) fn blanks(&mut self) {
        self.take_while(|character| matches!(character, ' ' | '\t' | '\n' | '\r'));
    }

    pub(super) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|character| !belongs(character)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Parses something that may hold itself.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        ensure!(
            self.nesting < MAX_NESTING,
            "more than {MAX_NESTING} filters and parentheses within one another"
        );
        self.nesting += 1;
        let parsed = parse(self)?;
        self.nesting -= 1;
        Ok(parsed)
    }

    pub(super) fn segments(&mut self) -> Result<Vec<Segment>> {
        let mut segments = Vec::new();
        loop {
            let before = self.at;
            self.blanks();
            match self.segment()? {
                Some(segment) => segments.push(segment),
                None => {
                    // Blanks belong to the query only if a segment follows them.
                    self.at = before;
                    return Ok(segments);
                }
            }
        }
    }

    fn segment(&mut self) -> Result<Option<Segment>> {
        let descendant = self.eat("..");
        let selectors = if self.eat("[") {
            self.bracketed()?
        } else if descendant || self.eat(".") {
            vec![if self.eat("*") { Selector::Wildcard } else { Selector::Name(self.shorthand()?) }]
        } else {
            return Ok(None);
        };
        Ok(Some(Segment { descendant, selectors }))
    }

    fn shorthand(&mut self) -> Result<String> {
        let is_first =
            |character: char| character.is_ascii_alphabetic() || character == '_' || !character.is_ascii();
        ensure!(self.peek().is_some_and(is_first), "a member's name is missing; write others as `['…']`");
        Ok(self.take_while(|character| is_first(character) || character.is_ascii_digit()).to_owned())
    }

    fn bracketed(&mut self) -> Result<Vec<Selector>> {
        let mut selectors = Vec::new();
        loop {
            self.blanks();
            selectors.push(self.selector()?);
            self.blanks();
            if self.eat("]") {
                return Ok(selectors);
            }
            ensure!(self.eat(","), "a `,` or `]` is missing");
        }
    }

    fn selector(&mut self) -> Result<Selector> {
        match self.peek() {
            Some('\'' | '"') => Ok(Selector::Name(self.string()?)),
            Some('*') => {
                self.eat("*");
                Ok(Selector::Wildcard)
            }
            Some('?') => {
                self.eat("?");
                self.blanks();
                Ok(Selector::Filter(self.nested(Self::logical)?))
            }
            _ => self.index_or_slice(),
        }
    }

    fn index_or_slice(&mut self) -> Result<Selector> {
        let start = self.integer()?;
        let after = self.at;
        self.blanks();
        if !self.eat(":") {
            self.at = after;
            return start.map(Selector::Index).context("a selector is missing");
        }
        self.blanks();
        let end = self.integer()?;
        self.blanks();
        let step = if self.eat(":") {
            self.blanks();
            self.integer()?
        } else {
            None
        };
        Ok(Selector::Slice { start, end, step: step.unwrap_or(1) })
    }

    fn integer(&mut self) -> Result<Option<i64>> {
        let start = self.at;
        let negative = self.eat("-");
        let digits = self.take_while(|character| character.is_ascii_digit());
        if digits.is_empty() && !negative {
            return Ok(None);
        }
        let well_formed =
            if negative { !digits.starts_with('0') } else { digits == "0" || !digits.starts_with('0') };
        ensure!(well_formed, "an integer has neither a leading zero nor is it `-0`");
        let number = self.text[start..self.at].parse::<i64>().ok();
        let number = number.filter(|number| number.abs() <= MAX_INTEGER);
        number.context(format_args!("an integer lies within ±{MAX_INTEGER}")).map(Some)
    }

    /// A string in either quotes.
    pub(super) fn string(&mut self) -> Result<String> {
        let quote = self.peek().context("a string is missing")?;
        self.at += 1;
        let mut string = String::new();
        loop {
            let character = self.peek().context("a string does not end")?;
            self.at += character.len_utf8();
            match character {
                _ if character == quote => return Ok(string),
                '\0'..' ' => bail!("a control character stands in a string"),
                '\\' => string.push(self.escape(quote)?),
                _ => string.push(character),
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<char> {
        let escaped = self.peek().context("a string does not end")?;
        self.at += escaped.len_utf8();
        Ok(match escaped {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '/' | '\\' => escaped,
            'u' => return self.unicode_escape(),
            _ if escaped == quote => escaped,
            _ => bail!("there is no escape `\\{escaped}` in these quotes"),
        })
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let first = self.hex4()?;
        let code = match first {
            0xd800..0xdc00 => {
                ensure!(self.eat("\\u"), "half of a surrogate pair stands in a string");
                let second = self.hex4()?;
                ensure!((0xdc00..0xe000).contains(&second), "half of a surrogate pair stands in a string");
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        char::from_u32(code).context("half of a surrogate pair stands in a string")
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits =
            self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let digits = digits.context("a `\\u` wants four hexadecimal digits")?;
        self.at += 4;
        Ok(u32::from_str_radix(digits, 16)?)
    }
}
