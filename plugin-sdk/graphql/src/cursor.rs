//! A place among the tokens, one of which is looked at before it is taken.

use crate::{Lexer, ParseError, Token, TokenKind, Type};

/// What a grammar reads from.
#[derive(Debug)]
pub struct Cursor<'s> {
    lexer: Lexer<'s>,
    token: Token<'s>,
}

impl<'s> Cursor<'s> {
    /// Before the first token.
    pub fn new(mut lexer: Lexer<'s>) -> Result<Self, ParseError> {
        let token = lexer.advance()?;
        Ok(Self { lexer, token })
    }

    /// What comes next.
    #[must_use]
    pub const fn token(&self) -> Token<'s> {
        self.token
    }

    /// Whether it is this punctuator.
    #[must_use]
    pub fn is(&self, punctuator: u8) -> bool {
        self.token.kind == TokenKind::Punctuator(punctuator)
    }

    /// Whether it is this name.
    #[must_use]
    pub fn is_name(&self, name: &str) -> bool {
        self.token.kind == TokenKind::Name && self.token.text == name
    }

    /// Takes it, whatever it is.
    pub fn advance(&mut self) -> Result<Token<'s>, ParseError> {
        let next = self.lexer.advance()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    /// Takes it if it is this punctuator.
    pub fn takes(&mut self, punctuator: u8) -> Result<bool, ParseError> {
        let is = self.is(punctuator);
        if is {
            self.advance()?;
        }
        Ok(is)
    }

    /// Takes this punctuator, or fails.
    pub fn expect(&mut self, punctuator: u8) -> Result<(), ParseError> {
        if self.takes(punctuator)? {
            return Ok(());
        }
        Err(self.unexpected(&format!("`{}`", char::from(punctuator))))
    }

    /// Takes a name, or fails and says what it would be the name of.
    pub fn name(&mut self, of: &str) -> Result<&'s str, ParseError> {
        if self.token.kind == TokenKind::Name {
            return Ok(self.advance()?.text);
        }
        Err(self.unexpected(of))
    }

    /// Takes a type with its lists.
    pub fn type_reference(&mut self) -> Result<Type<'s>, ParseError> {
        let mut open = 0_usize;
        while self.takes(b'[')? {
            open += 1;
        }
        let name = self.name("a type")?;
        let non_null = self.takes(b'!')?;
        let mut lists = Vec::new();
        for _ in 0..open {
            self.expect(b']')?;
            lists.push(self.takes(b'!')?);
        }
        lists.reverse();
        Ok(Type { name, non_null, lists })
    }

    /// The token does not belong here; this would.
    #[must_use]
    pub fn unexpected(&self, what: &str) -> ParseError {
        ParseError::new(self.token.at, format!("{} where {what} is expected", self.token.told()))
    }
}
