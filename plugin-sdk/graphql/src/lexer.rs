//! Tokens (section 2.1 of the specification).

use crate::ParseError;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// One of `! $ & ( ) : = @ [ ] { | }`; `...` is `b'.'`.
    Punctuator(u8),
    /// A name.
    Name,
    /// A whole number.
    Int,
    /// Any other number.
    Float,
    /// A string, block strings included.
    String,
    /// There is no other.
    End,
}

/// A token, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'s> {
    /// What it is.
    pub kind: TokenKind,
    /// As it is written.
    pub text: &'s str,
    /// In bytes.
    pub at: usize,
}

impl Token<'_> {
    /// What it is, for people.
    #[must_use]
    pub fn told(&self) -> String {
        match self.kind {
            TokenKind::End => "the end".to_owned(),
            TokenKind::String => "a string".to_owned(),
            TokenKind::Int | TokenKind::Float => "a number".to_owned(),
            TokenKind::Name | TokenKind::Punctuator(_) => format!("`{}`", crate::short(self.text)),
        }
    }
}

/// Takes a text apart.
#[derive(Debug)]
pub struct Lexer<'s> {
    source: &'s str,
    at: usize,
    left: usize,
    bound: usize,
    is_strict: bool,
}

impl<'s> Lexer<'s> {
    /// Of at most so many tokens.
    #[must_use]
    pub fn new(source: &'s str, max_tokens: usize) -> Self {
        Self { source, at: 0, left: max_tokens, bound: max_tokens, is_strict: false }
    }

    /// Refuses what is well-formed, but ends elsewhere for some readers: line ends in comments that are not everybody's, and quotation
    /// marks in block strings. Text could hide behind either.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// The next token; at the end, and from then on, [`TokenKind::End`].
    pub fn advance(&mut self) -> Result<Token<'s>, ParseError> {
        let ignored = self.at;
        self.pass_ignored()?;
        let at = self.at;
        self.line_ends(ignored)?;
        let Some(byte) = self.byte(0) else {
            return Ok(Token { kind: TokenKind::End, text: "", at });
        };
        self.left = self.left.checked_sub(1).ok_or(ParseError::TooManyTokens(self.bound))?;
        let kind = match byte {
            b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|' | b'}' => {
                self.at += 1;
                TokenKind::Punctuator(byte)
            }
            b'.' if self.rest().starts_with(b"...") => {
                self.at += 3;
                TokenKind::Punctuator(b'.')
            }
            b'_' | b'A'..=b'Z' | b'a'..=b'z' => {
                self.pass(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
                TokenKind::Name
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'"' if self.rest().starts_with(b"\"\"\"") => self.block_string()?,
            b'"' => self.string()?,
            _ => return Err(ParseError::new(at, "a character that begins no token")),
        };
        Ok(Token { kind, text: &self.source[at..self.at], at })
    }

    fn rest(&self) -> &'s [u8] {
        &self.source.as_bytes()[self.at..]
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.source.as_bytes().get(self.at + ahead).copied()
    }

    fn pass(&mut self, mut belongs: impl FnMut(u8) -> bool) -> usize {
        let rest = self.rest();
        let length = rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len());
        self.at += length;
        length
    }

    /// Blanks, line ends, commas, comments and byte order marks.
    fn pass_ignored(&mut self) -> Result<(), ParseError> {
        loop {
            self.pass(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b','));
            match self.byte(0) {
                Some(b'#') => {
                    self.pass(|byte| byte == b'\t' || byte >= b' ');
                    if let Some(byte) = self.byte(0)
                        && !matches!(byte, b'\n' | b'\r')
                    {
                        return Err(self.control());
                    }
                }
                Some(0xEF) if self.rest().starts_with("\u{feff}".as_bytes()) => self.at += 3,
                _ => return Ok(()),
            }
        }
    }

    /// A carriage return alone ends a line for some readers and not for others, and so do the line ends of Unicode.
    fn line_ends(&self, from: usize) -> Result<(), ParseError> {
        if !self.is_strict {
            return Ok(());
        }
        let ignored = &self.source.as_bytes()[from..self.at];
        let is_doubtful = |(at, byte): (usize, &u8)| match byte {
            b'\r' => ignored.get(at + 1) != Some(&b'\n'),
            // U+0085, U+2028 and U+2029.
            0xC2 => ignored.get(at + 1) == Some(&0x85),
            0xE2 => matches!(ignored.get(at + 1..at + 3), Some([0x80, 0xA8 | 0xA9])),
            _ => false,
        };
        match ignored.iter().enumerate().position(is_doubtful) {
            Some(at) => Err(ParseError::new(from + at, "a line end that is not everybody's")),
            None => Ok(()),
        }
    }

    /// The specification allows them now. Earlier it did not, and there are readers for which a zero ends a text.
    fn control(&self) -> ParseError {
        ParseError::new(self.at, "a control character")
    }

    fn number(&mut self) -> Result<TokenKind, ParseError> {
        if self.byte(0) == Some(b'-') {
            self.at += 1;
        }
        let leads_with_zero = self.byte(0) == Some(b'0');
        let digits = self.digits()?;
        if leads_with_zero && digits > 1 {
            return Err(ParseError::new(self.at, "a number that begins with 0"));
        }
        let mut kind = TokenKind::Int;
        if self.byte(0) == Some(b'.') {
            self.at += 1;
            self.digits()?;
            kind = TokenKind::Float;
        }
        if matches!(self.byte(0), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(0), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
            kind = TokenKind::Float;
        }
        match self.byte(0) {
            Some(b'.' | b'_' | b'A'..=b'Z' | b'a'..=b'z') => {
                Err(ParseError::new(self.at, "a number that does not end"))
            }
            _ => Ok(kind),
        }
    }

    fn digits(&mut self) -> Result<usize, ParseError> {
        match self.pass(|byte| byte.is_ascii_digit()) {
            0 => Err(ParseError::new(self.at, "a digit is missing")),
            digits => Ok(digits),
        }
    }

    fn string(&mut self) -> Result<TokenKind, ParseError> {
        self.at += 1;
        loop {
            self.pass(|byte| byte == b'\t' || byte >= b' ' && byte != b'"' && byte != b'\\');
            match self.byte(0) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(TokenKind::String);
                }
                Some(b'\\') => self.escape()?,
                None | Some(b'\n' | b'\r') => {
                    return Err(ParseError::new(self.at, "a string without an end"));
                }
                Some(_) => return Err(self.control()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        match self.byte(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => self.unicode_escape(),
            _ => Err(ParseError::new(self.at, "an escape that there is not")),
        }
    }

    /// `\u{1F600}`, `\u00e9`, and two of the latter as a pair of surrogates.
    fn unicode_escape(&mut self) -> Result<(), ParseError> {
        let broken = ParseError::new(self.at, "an escape that is no character");
        if self.byte(2) == Some(b'{') {
            let rest = &self.source[self.at + 3..];
            let digits = rest.find('}').map(|end| &rest[..end]).ok_or_else(|| broken.clone())?;
            // Zeros may come before.
            let number = if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                None
            } else {
                u32::from_str_radix(digits, 16).ok()
            };
            number.and_then(char::from_u32).ok_or(broken)?;
            self.at += digits.len() + 4;
            return Ok(());
        }
        let unit = |at: usize| {
            let digits = self.source.as_bytes().get(at..at + 4)?;
            let digits = std::str::from_utf8(digits).ok()?;
            digits
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit())
                .then(|| u32::from_str_radix(digits, 16).ok())?
        };
        let length = match unit(self.at + 2) {
            Some(0xD800..=0xDBFF) => {
                let follows = self.rest().get(6..8) == Some(br"\u");
                let low = unit(self.at + 8).filter(|low| follows && (0xDC00..=0xDFFF).contains(low));
                low.map(|_| 12)
            }
            Some(unit) => char::from_u32(unit).map(|_| 6),
            None => None,
        };
        self.at += length.ok_or(broken)?;
        Ok(())
    }

    fn mark(&self) -> ParseError {
        ParseError::new(self.at, "a quotation mark in a block string")
    }

    fn block_string(&mut self) -> Result<TokenKind, ParseError> {
        self.at += 3;
        loop {
            self.pass(|byte| {
                matches!(byte, b'\t' | b'\n' | b'\r') || byte >= b' ' && byte != b'"' && byte != b'\\'
            });
            let rest = self.rest();
            match rest.first() {
                Some(b'"') if rest.starts_with(b"\"\"\"") => {
                    self.at += 3;
                    // For some readers the string ends with the last three of the marks.
                    if self.is_strict && self.byte(0) == Some(b'"') {
                        return Err(self.mark());
                    }
                    return Ok(TokenKind::String);
                }
                Some(b'"') if self.is_strict => return Err(self.mark()),
                Some(b'\\') if self.is_strict && rest.starts_with(b"\\\"") => return Err(self.mark()),
                Some(b'\\') if rest.starts_with(b"\\\"\"\"") => self.at += 4,
                Some(b'"' | b'\\') => self.at += 1,
                Some(_) => return Err(self.control()),
                None => return Err(ParseError::new(self.at, "a string without an end")),
            }
        }
    }
}
