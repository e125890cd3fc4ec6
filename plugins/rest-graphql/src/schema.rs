//! Types of variables: GraphQL's own, and what a schema's enumerations, inputs and scalars say. Everything else in a schema is passed
//! over.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_graphql::{Cursor, Lexer, ParseError, TokenKind, Type, position};

/// The types that variables may have.
#[derive(Debug)]
pub(crate) struct Types {
    named: Vec<Named>,
    by_name: BTreeMap<String, usize>,
}

/// A type without lists.
#[derive(Debug, PartialEq)]
pub(crate) enum Named {
    Int,
    Float,
    String,
    Boolean,
    Id,
    Enum(Vec<String>),
    Input(Input),
    /// A scalar of the schema's own: any value.
    Any,
}

/// An object that goes in.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Input {
    pub(crate) fields: Vec<InputField>,
    /// Exactly one of its fields is there.
    pub(crate) one_of: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct InputField {
    pub(crate) name: String,
    pub(crate) of: TypeRef,
    pub(crate) has_default: bool,
}

/// A type with its lists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TypeRef {
    /// Its place among the types.
    pub(crate) named: usize,
    /// Whether each list takes no null, the outermost first, and then what is in them.
    pub(crate) non_null: Vec<bool>,
    /// As it is written.
    pub(crate) text: String,
}

/// As the schema has it.
struct Declared<'s> {
    name: String,
    kind: DeclaredKind<'s>,
}

enum DeclaredKind<'s> {
    Scalar,
    Enum(Vec<String>),
    Input { one_of: bool, fields: Vec<(String, Type<'s>, bool)> },
}

impl TypeRef {
    pub(crate) fn lists(&self) -> usize {
        self.non_null.len() - 1
    }

    pub(crate) fn is_required(&self) -> bool {
        self.non_null[0]
    }
}

impl Types {
    pub(crate) fn new(schema: &str) -> Result<Self> {
        let declared = Reader::read(schema).map_err(|error| match error {
            ParseError::Syntax { at, message } => {
                let (line, column) = position(schema, at);
                Error::new(format!("`schema`, line {line}, column {column}: {message}"))
            }
            error @ ParseError::TooManyTokens(_) => Error::new(format!("`schema`: {error}")),
        })?;
        let own = [("Int", Named::Int), ("Float", Named::Float), ("String", Named::String)];
        let own = own.into_iter().chain([("Boolean", Named::Boolean), ("ID", Named::Id)]);
        let (names, mut named): (Vec<_>, Vec<_>) = own.unzip();
        let mut by_name: BTreeMap<_, _> =
            names.into_iter().enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
        for Declared { name, kind } in &declared {
            if !by_name.contains_key(name) {
                by_name.insert(name.clone(), named.len());
                named.push(match kind {
                    DeclaredKind::Scalar => Named::Any,
                    DeclaredKind::Enum(_) => Named::Enum(Vec::new()),
                    DeclaredKind::Input { .. } => Named::Input(Input::default()),
                });
            }
        }
        let mut types = Self { named, by_name };
        for Declared { name, kind } in declared {
            types.fill(&name, kind)?;
        }
        Ok(types)
    }

    /// A type may be declared in several parts (`extend`).
    fn fill(&mut self, name: &str, kind: DeclaredKind<'_>) -> Result<()> {
        let at = self.by_name[name];
        match kind {
            DeclaredKind::Scalar => {}
            DeclaredKind::Enum(values) => match &mut self.named[at] {
                Named::Enum(known) => known.extend(values),
                _ => bail!("`schema`: `{name}` is several kinds of type"),
            },
            DeclaredKind::Input { one_of, fields } => {
                let mut read = Vec::new();
                for (field, of, has_default) in fields {
                    let Some(of) = self.resolve(&of) else {
                        bail!(
                            "`schema`: there is no enum, input or scalar `{}` for `{name}.{field}`",
                            of.name
                        );
                    };
                    read.push(InputField { name: field, of, has_default });
                }
                let Named::Input(input) = &mut self.named[at] else {
                    bail!("`schema`: `{name}` is several kinds of type");
                };
                input.one_of |= one_of;
                input.fields.extend(read);
            }
        }
        Ok(())
    }

    fn find(&self, name: &str, non_null: Vec<bool>) -> Option<TypeRef> {
        let named = *self.by_name.get(name)?;
        let bang = |is: bool| if is { "!" } else { "" };
        let (inner, lists) = non_null.split_last()?;
        let open = "[".repeat(lists.len());
        let close: String = lists.iter().rev().map(|&list| format!("]{}", bang(list))).collect();
        let text = format!("{open}{name}{}{close}", bang(*inner));
        Some(TypeRef { named, non_null, text })
    }

    pub(crate) fn resolve(&self, of: &Type<'_>) -> Option<TypeRef> {
        let mut non_null = of.lists.clone();
        non_null.push(of.non_null);
        self.find(of.name, non_null)
    }

    pub(crate) fn named(&self, of: &TypeRef) -> &Named {
        &self.named[of.named]
    }
}

const KEYWORDS: [&str; 9] =
    ["schema", "scalar", "type", "interface", "union", "enum", "input", "directive", "extend"];

/// Tokens of a schema.
const MOST_TOKENS: usize = 1_000_000;

struct Reader<'s> {
    tokens: Cursor<'s>,
}

impl<'s> Reader<'s> {
    fn read(schema: &'s str) -> Result<Vec<Declared<'s>>, ParseError> {
        let mut reader = Self { tokens: Cursor::new(Lexer::new(schema, MOST_TOKENS))? };
        let mut declared = Vec::new();
        while reader.tokens.token().kind != TokenKind::End {
            if reader.tokens.token().kind == TokenKind::String || reader.tokens.token().text == "extend" {
                reader.tokens.advance()?;
                continue;
            }
            let keyword = reader.tokens.name("a name")?;
            let kind = match keyword {
                "scalar" | "enum" | "input" => keyword,
                _ if KEYWORDS.contains(&keyword) => {
                    reader.pass_definition()?;
                    continue;
                }
                _ => return Err(reader.tokens.unexpected("a definition")),
            };
            let name = reader.tokens.name("a name")?.to_owned();
            let one_of = reader.directives()?;
            let kind = match kind {
                "scalar" => DeclaredKind::Scalar,
                "enum" => DeclaredKind::Enum(reader.values()?),
                _ => DeclaredKind::Input { one_of, fields: reader.fields()? },
            };
            declared.push(Declared { name, kind });
        }
        Ok(declared)
    }

    /// Up to the next definition, which is where a keyword stands outside of all brackets and joined to nothing.
    fn pass_definition(&mut self) -> Result<(), ParseError> {
        let (mut depth, mut joined) = (0_usize, true);
        loop {
            match self.tokens.token().kind {
                TokenKind::End => return Ok(()),
                TokenKind::String if depth == 0 => return Ok(()),
                TokenKind::Name if depth == 0 && !joined && KEYWORDS.contains(&self.tokens.token().text) => {
                    return Ok(());
                }
                TokenKind::Punctuator(b'{' | b'(' | b'[') => depth += 1,
                TokenKind::Punctuator(b'}' | b')' | b']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            joined = matches!(self.tokens.token().kind, TokenKind::Punctuator(b'|' | b'=' | b'&' | b'@'))
                || matches!(self.tokens.token().text, "implements" | "on");
            self.tokens.advance()?;
        }
    }

    /// Whether `@oneOf` is among them.
    fn directives(&mut self) -> Result<bool, ParseError> {
        let mut one_of = false;
        while self.tokens.takes(b'@')? {
            one_of |= self.tokens.name("a name")? == "oneOf";
            if self.tokens.is(b'(') {
                self.pass_value()?;
            }
        }
        Ok(one_of)
    }

    /// What stands in brackets, or a single token.
    fn pass_value(&mut self) -> Result<(), ParseError> {
        let mut depth = 0_usize;
        loop {
            match self.tokens.token().kind {
                TokenKind::Punctuator(b'{' | b'(' | b'[') => depth += 1,
                TokenKind::Punctuator(b'}' | b')' | b']') if depth > 0 => depth -= 1,
                TokenKind::End => return Err(self.tokens.unexpected("a value")),
                _ => {}
            }
            self.tokens.advance()?;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn values(&mut self) -> Result<Vec<String>, ParseError> {
        let mut values = Vec::new();
        if !self.tokens.takes(b'{')? {
            return Ok(values);
        }
        while !self.tokens.takes(b'}')? {
            if self.tokens.token().kind == TokenKind::String {
                self.tokens.advance()?;
            }
            values.push(self.tokens.name("a name")?.to_owned());
            self.directives()?;
        }
        Ok(values)
    }

    fn fields(&mut self) -> Result<Vec<(String, Type<'s>, bool)>, ParseError> {
        let mut fields = Vec::new();
        if !self.tokens.takes(b'{')? {
            return Ok(fields);
        }
        while !self.tokens.takes(b'}')? {
            if self.tokens.token().kind == TokenKind::String {
                self.tokens.advance()?;
            }
            let name = self.tokens.name("a name")?.to_owned();
            self.tokens.expect(b':')?;
            let of = self.tokens.type_reference()?;
            let has_default = self.tokens.takes(b'=')?;
            if has_default {
                self.pass_value()?;
            }
            self.directives()?;
            fields.push((name, of, has_default));
        }
        Ok(fields)
    }
}
