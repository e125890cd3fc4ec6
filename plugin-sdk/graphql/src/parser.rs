//! The grammar of executable documents (sections 2.2 to 2.12 of the specification), without recursion: what is open is on the heap.

use std::ops::Range;

use crate::document::{
    Definition, Directive, Document, Fragment, Operation, OperationKind, Selected, Selection, Value,
    ValueKind, Variable,
};
use crate::{Cursor, Lexer, ParseError, TokenKind, short, twice};

/// Reads an executable document of at most so many tokens.
///
/// What would be ambiguous is refused as well: names of operations, fragments, variables, arguments and fields of objects that occur
/// twice, an operation without a name among others, and what [`Lexer::strict`] refuses.
pub fn parse(source: &str, max_tokens: usize) -> Result<Document<'_>, ParseError> {
    let tokens = Cursor::new(Lexer::new(source, max_tokens).strict())?;
    let mut parser = Parser { tokens, document: Document::default() };
    loop {
        parser.definition()?;
        if parser.tokens.token().kind == TokenKind::End {
            break;
        }
    }
    parser.finish()
}

struct Parser<'s> {
    tokens: Cursor<'s>,
    document: Document<'s>,
}

impl<'s> Parser<'s> {
    fn definition(&mut self) -> Result<(), ParseError> {
        let at = self.tokens.token().at;
        let is_described = self.tokens.token().kind == TokenKind::String;
        if is_described {
            self.tokens.advance()?;
        }
        let kind = match (self.tokens.token().kind, self.tokens.token().text) {
            (TokenKind::Punctuator(b'{'), _) if !is_described => {
                let directives = self.document.directives.len();
                let (directives, selections) = (directives..directives, self.selections()?);
                let definition = Definition { at, directives, selections };
                let (kind, variables) = (OperationKind::Query, Vec::new());
                self.document.operations.push(Operation { kind, name: None, variables, definition });
                return Ok(());
            }
            (TokenKind::Name, "query") => OperationKind::Query,
            (TokenKind::Name, "mutation") => OperationKind::Mutation,
            (TokenKind::Name, "subscription") => OperationKind::Subscription,
            (TokenKind::Name, "fragment") => return self.fragment(at),
            _ => return Err(self.tokens.unexpected("an operation or a fragment")),
        };
        self.tokens.advance()?;
        let name = if self.tokens.token().kind == TokenKind::Name {
            Some(self.tokens.advance()?.text)
        } else {
            None
        };
        let first = self.document.directives.len();
        let variables = self.variables()?;
        self.directives(false)?;
        let directives = first..self.document.directives.len();
        let definition = Definition { at, directives, selections: self.selections()? };
        self.document.operations.push(Operation { kind, name, variables, definition });
        Ok(())
    }

    fn fragment(&mut self, at: usize) -> Result<(), ParseError> {
        self.tokens.advance()?;
        if self.tokens.is_name("on") {
            return Err(self.tokens.unexpected("a fragment's name"));
        }
        let name = self.tokens.name("a fragment's name")?;
        if !self.tokens.is_name("on") {
            return Err(self.tokens.unexpected("`on`"));
        }
        self.tokens.advance()?;
        let on = self.tokens.name("a type")?;
        let directives = self.directives(false)?;
        let definition = Definition { at, directives, selections: self.selections()? };
        if self.document.by_name.insert(name, self.document.fragments.len()).is_some() {
            return Err(ParseError::new(at, format!("fragment `{}` is there twice", short(name))));
        }
        self.document.fragments.push(Fragment { name, on, definition });
        Ok(())
    }

    /// The rules about the document as a whole.
    fn finish(self) -> Result<Document<'s>, ParseError> {
        let operations = &self.document.operations;
        let nameless = operations.iter().find(|operation| operation.name.is_none());
        if let Some(nameless) = nameless.filter(|_| operations.len() > 1) {
            return Err(ParseError::new(nameless.definition.at, "an operation without a name is not alone"));
        }
        if let Some(name) = twice(operations.iter().filter_map(|operation| operation.name)) {
            let second = operations.iter().filter(|operation| operation.name == Some(name)).nth(1);
            let at = second.map_or(0, |operation| operation.definition.at);
            return Err(ParseError::new(at, format!("operation `{}` is there twice", short(name))));
        }
        Ok(self.document)
    }

    fn variables(&mut self) -> Result<Vec<Variable<'s>>, ParseError> {
        let (mut variables, at) = (Vec::new(), self.tokens.token().at);
        if !self.tokens.takes(b'(')? {
            return Ok(variables);
        }
        while variables.is_empty() || !self.tokens.takes(b')')? {
            if self.tokens.token().kind == TokenKind::String {
                self.tokens.advance()?;
            }
            self.tokens.expect(b'$')?;
            let name = self.tokens.name("a variable's name")?;
            self.tokens.expect(b':')?;
            let of = self.tokens.type_reference()?;
            let default = if self.tokens.takes(b'=')? { Some(self.value("", true)?) } else { None };
            self.directives(true)?;
            variables.push(Variable { name, of, default });
        }
        match twice(variables.iter().map(|variable| variable.name)) {
            Some(name) => Err(ParseError::new(at, format!("variable `${}` is there twice", short(name)))),
            None => Ok(variables),
        }
    }

    fn selections(&mut self) -> Result<Range<usize>, ParseError> {
        let first = self.document.selections.len();
        self.tokens.expect(b'{')?;
        let mut open = Vec::new();
        let mut is_empty = true;
        loop {
            if !is_empty && self.tokens.takes(b'}')? {
                let end = self.document.selections.len();
                match open.pop() {
                    Some(at) => {
                        let at: usize = at;
                        self.document.selections[at].end = end;
                    }
                    None => return Ok(first..end),
                }
                continue;
            }
            let at = self.document.selections.len();
            let holds = self.selection()?;
            is_empty = match holds {
                Holds::Nothing => false,
                Holds::Maybe if !self.tokens.is(b'{') => false,
                Holds::Maybe | Holds::Selections => {
                    self.tokens.expect(b'{')?;
                    open.push(at);
                    true
                }
            };
        }
    }

    fn selection(&mut self) -> Result<Holds, ParseError> {
        let at = self.tokens.token().at;
        let (selected, holds) = if self.tokens.takes(b'.')? {
            if self.tokens.is_name("on") {
                self.tokens.advance()?;
                (Selected::Inline { on: Some(self.tokens.name("a type")?) }, Holds::Selections)
            } else if self.tokens.token().kind == TokenKind::Name {
                (Selected::Spread { name: self.tokens.advance()?.text }, Holds::Nothing)
            } else {
                (Selected::Inline { on: None }, Holds::Selections)
            }
        } else {
            let first = self.tokens.name("a field")?;
            let second = if self.tokens.takes(b':')? { Some(self.tokens.name("a field")?) } else { None };
            let (name, alias) = second.map_or((first, None), |name| (name, Some(first)));
            (Selected::Field { name, alias, arguments: self.arguments(false)? }, Holds::Maybe)
        };
        let directives = self.directives(false)?;
        let end = self.document.selections.len() + 1;
        self.document.selections.push(Selection { selected, directives, at, end });
        Ok(holds)
    }

    fn directives(&mut self, is_constant: bool) -> Result<Range<usize>, ParseError> {
        let first = self.document.directives.len();
        while self.tokens.takes(b'@')? {
            let name = self.tokens.name("a directive's name")?;
            let arguments = self.arguments(is_constant)?;
            self.document.directives.push(Directive { name, arguments });
        }
        Ok(first..self.document.directives.len())
    }

    fn arguments(&mut self, is_constant: bool) -> Result<Range<usize>, ParseError> {
        let (first, at) = (self.document.values.len(), self.tokens.token().at);
        if !self.tokens.takes(b'(')? {
            return Ok(first..first);
        }
        while self.document.values.len() == first || !self.tokens.takes(b')')? {
            let name = self.tokens.name("an argument")?;
            self.tokens.expect(b':')?;
            self.value(name, is_constant)?;
        }
        let arguments = first..self.document.values.len();
        self.are_unique(arguments.clone(), at, "argument")?;
        Ok(arguments)
    }

    fn are_unique(&self, range: Range<usize>, at: usize, what: &str) -> Result<(), ParseError> {
        match twice(self.document.arguments(range).map(|at| self.document.values[at].name)) {
            Some(name) => Err(ParseError::new(at, format!("{what} `{}` is there twice", short(name)))),
            None => Ok(()),
        }
    }

    /// A value, and where it is.
    fn value(&mut self, name: &'s str, is_constant: bool) -> Result<usize, ParseError> {
        let first = self.document.values.len();
        let mut open: Vec<(usize, u8)> = Vec::new();
        let mut name = name;
        loop {
            let at = self.document.values.len();
            let kind = self.value_kind(is_constant)?;
            self.document.values.push(Value { name, kind, end: at + 1, items: 0 });
            if let Some(&(parent, _)) = open.last() {
                self.document.values[parent].items += 1;
            }
            match kind {
                ValueKind::List => open.push((at, b']')),
                ValueKind::Object => open.push((at, b'}')),
                _ => {}
            }
            loop {
                let Some(&(at, close)) = open.last() else { return Ok(first) };
                let place = self.tokens.token().at;
                if self.tokens.takes(close)? {
                    let end = self.document.values.len();
                    self.document.values[at].end = end;
                    open.pop();
                    if close == b'}' {
                        self.are_unique(at + 1..end, place, "field")?;
                    }
                    continue;
                }
                name = "";
                if close == b'}' {
                    name = self.tokens.name("a field")?;
                    self.tokens.expect(b':')?;
                }
                break;
            }
        }
    }

    fn value_kind(&mut self, is_constant: bool) -> Result<ValueKind<'s>, ParseError> {
        let is_value = match self.tokens.token().kind {
            TokenKind::Punctuator(byte) => matches!(byte, b'[' | b'{') || byte == b'$' && !is_constant,
            TokenKind::End => false,
            _ => true,
        };
        if !is_value {
            return Err(self.tokens.unexpected("a value"));
        }
        let token = self.tokens.advance()?;
        Ok(match (token.kind, token.text) {
            (TokenKind::Punctuator(b'['), _) => ValueKind::List,
            (TokenKind::Punctuator(b'{'), _) => ValueKind::Object,
            (TokenKind::Int, text) => ValueKind::Int(text),
            (TokenKind::Float, text) => ValueKind::Float(text),
            (TokenKind::String, text) => ValueKind::String(text),
            (TokenKind::Name, "true") => ValueKind::Boolean(true),
            (TokenKind::Name, "false") => ValueKind::Boolean(false),
            (TokenKind::Name, "null") => ValueKind::Null,
            (TokenKind::Name, text) => ValueKind::Enum(text),
            (TokenKind::Punctuator(_) | TokenKind::End, _) => {
                ValueKind::Variable(self.tokens.name("a variable's name")?)
            }
        })
    }
}

/// What follows a selection.
enum Holds {
    Nothing,
    Maybe,
    Selections,
}
