//! Parses filters: logical expressions, comparisons and functions, well-typed by construction. RFC 9535 sections 2.3.5 and 2.4.

use sluice_sdk::prelude::*;

use super::parse::Parser;
use super::regexp::Pattern;
use super::{Comparison, Logical, Operand, Query};
use crate::json::{self, Json};

/// Something that stands alone, or on one side of a comparison.
enum Term {
    Operand(Operand),
    /// A query, whether singular or not.
    Query(Query),
    /// A function that says yes or no.
    Test(Logical),
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Parser<'_> {
    /// `||` binds least.
    pub(super) fn logical(&mut self) -> Result<Logical> {
        let mut terms = vec![self.conjunction()?];
        while self.operator("||") {
            terms.push(self.conjunction()?);
        }
        Ok(one_or(terms, Logical::Or))
    }

    fn conjunction(&mut self) -> Result<Logical> {
        let mut terms = vec![self.basic()?];
        while self.operator("&&") {
            terms.push(self.basic()?);
        }
        Ok(one_or(terms, Logical::And))
    }

    fn operator(&mut self, operator: &str) -> bool {
        self.blanks();
        let there = self.eat(operator);
        if there {
            self.blanks();
        }
        there
    }

    fn basic(&mut self) -> Result<Logical> {
        let negated = self.eat("!");
        if negated {
            self.blanks();
        }
        let term = if self.eat("(") {
            self.blanks();
            let inner = self.nested(Self::logical)?;
            self.blanks();
            ensure!(self.eat(")"), "a `)` is missing");
            inner
        } else {
            let term = self.term()?;
            match self.comparison() {
                Some(comparison) if !negated => {
                    let left = comparable(term)?;
                    Logical::Compare(left, comparison, comparable(self.term()?)?)
                }
                Some(_) => {
                    bail!("`!` negates a test or what stands in parentheses, not one side of a comparison")
                }
                None => test(term)?,
            }
        };
        Ok(if negated { Logical::Not(Box::new(term)) } else { term })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        self.blanks();
        let (word, comparison) = COMPARISONS.iter().find(|(word, _)| self.rest().starts_with(word))?;
        self.eat(word);
        self.blanks();
        Some(*comparison)
    }

    fn term(&mut self) -> Result<Term> {
        match self.peek() {
            Some('@' | '$') => {
                let absolute = self.eat("$") || !self.eat("@");
                Ok(Term::Query(Query { absolute, segments: self.segments()? }))
            }
            Some('\'' | '"') => Ok(literal(Json::Text(self.string()?.into()))),
            Some('-' | '0'..='9') => self.number(),
            Some('a'..='z') => self.word_or_function(),
            _ => bail!("a literal, a query or a function is missing"),
        }
    }

    fn number(&mut self) -> Result<Term> {
        let text = self.take_while(|character| matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        match json::parse(text.as_bytes(), json::LEAST_BUDGET) {
            Ok(number @ Json::Number(_)) => Ok(literal(number.into_owned())),
            _ => bail!("`{text}` is not a number"),
        }
    }

    fn word_or_function(&mut self) -> Result<Term> {
        let name = self.take_while(|character| matches!(character, 'a'..='z' | '0'..='9' | '_'));
        if !self.eat("(") {
            return Ok(literal(match name {
                "true" => Json::Bool(true),
                "false" => Json::Bool(false),
                "null" => Json::Null,
                _ => bail!("`{name}` is neither a literal nor, without a `(`, a function"),
            }));
        }
        self.blanks();
        let function = self.nested(|parser| parser.function(name))?;
        self.blanks();
        ensure!(self.eat(")"), "`{name}` has an argument too many, or a `)` is missing");
        Ok(function)
    }

    fn function(&mut self, name: &str) -> Result<Term> {
        Ok(match name {
            "length" => Term::Operand(Operand::Length(Box::new(self.value_argument(name)?))),
            "count" => Term::Operand(Operand::Count(self.nodes_argument(name)?)),
            "value" => Term::Operand(Operand::Value(self.nodes_argument(name)?)),
            "match" | "search" => {
                let text = self.value_argument(name)?;
                self.blanks();
                ensure!(self.eat(","), "`{name}` has two arguments: a text and a regular expression");
                self.blanks();
                let whole = name == "match";
                let pattern = Pattern::new(self.value_argument(name)?, whole)?;
                Term::Test(Logical::Matches { text, pattern, whole })
            }
            _ => bail!("there is no function `{name}`; there are length, count, value, match and search"),
        })
    }

    fn value_argument(&mut self, function: &str) -> Result<Operand> {
        let term = self.term()?;
        comparable(term).context(format_args!("an argument of `{function}`"))
    }

    fn nodes_argument(&mut self, function: &str) -> Result<Query> {
        match self.term()? {
            Term::Query(query) => Ok(query),
            _ => bail!("the argument of `{function}` is not a query"),
        }
    }
}

fn literal(value: Json<'static>) -> Term {
    Term::Operand(Operand::Literal(value))
}

fn one_or(mut terms: Vec<Logical>, many: fn(Vec<Logical>) -> Logical) -> Logical {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        last => {
            terms.extend(last);
            many(terms)
        }
    }
}

fn comparable(term: Term) -> Result<Operand> {
    match term {
        Term::Operand(operand) => Ok(operand),
        Term::Query(query) if query.is_singular() => Ok(Operand::Query(query)),
        Term::Query(_) => bail!("a query that may select several nodes has no value: use `value()`"),
        Term::Test(_) => bail!("`match` and `search` say yes or no, which is no value"),
    }
}

fn test(term: Term) -> Result<Logical> {
    match term {
        Term::Query(query) => Ok(Logical::Exists(query)),
        Term::Test(test) => Ok(test),
        Term::Operand(_) => bail!("a value alone is no test: compare it"),
    }
}
