//! How many items a field has, as far as its arguments say.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};
use sluice_sdk_graphql::{Document, Operation, ValueKind, short};

use crate::config::CostConfig;
use crate::refusal::Refusal;

/// Reads arguments.
pub(crate) struct Items<'m, 's> {
    costs: &'m CostConfig,
    document: &'m Document<'s>,
    variables: &'m Map<String, Value>,
    /// Of variables that have one: its place in the document.
    defaults: BTreeMap<&'s str, usize>,
    /// Fields of objects that were looked for: many uses of a variable look through the same default.
    found: RefCell<BTreeMap<(usize, &'m str), Option<usize>>>,
}

/// A value: written in the document, or of a variable.
#[derive(Clone, Copy)]
enum Given<'m> {
    Written(usize),
    Sent(&'m Value),
}

impl<'m, 's> Items<'m, 's> {
    pub(crate) fn new(
        costs: &'m CostConfig,
        document: &'m Document<'s>,
        operation: &'m Operation<'s>,
        variables: &'m Map<String, Value>,
    ) -> Self {
        let defaults =
            operation.variables.iter().filter_map(|variable| Some((variable.name, variable.default?)));
        Self { costs, document, variables, defaults: defaults.collect(), found: RefCell::default() }
    }

    /// Of a field. Where several arguments say something, the most; where none does, what the operator says, or one.
    pub(crate) fn of(&self, name: &str, arguments: Range<usize>) -> Result<u64, Refusal> {
        let mut most = None;
        if !arguments.is_empty() {
            for path in &self.costs.size_arguments {
                if let Some(found) = self.find(path, arguments.clone()) {
                    most = most.max(self.number(path, found)?);
                }
            }
        }
        if let Some(items) = most.filter(|&items| items > self.costs.max_items) {
            let what = format!("{items} items of `{}`", short(name));
            return Err(Refusal::over("graphql-too-many-items", &what, self.costs.max_items));
        }
        // There are upstreams for which a limit of 0 is none.
        let most = most.filter(|&items| items > 0);
        Ok(most.or_else(|| self.costs.sizes.get(name).copied()).unwrap_or(1))
    }

    fn find(&self, path: &'m str, arguments: Range<usize>) -> Option<Given<'m>> {
        let mut steps = path.split('.');
        let first = steps.next()?;
        let named = self.document.arguments(arguments).find(|&at| self.document.value(at).name == first)?;
        let mut given = self.resolve(named)?;
        for step in steps {
            given = match given {
                Given::Written(at) if self.document.value(at).kind == ValueKind::Object => {
                    self.resolve(self.field(at, step)?)?
                }
                Given::Written(_) => return None,
                Given::Sent(value) => Given::Sent(value.get(step)?),
            };
        }
        Some(given)
    }

    fn field(&self, object: usize, name: &'m str) -> Option<usize> {
        let look = || self.document.items(object).find(|&at| self.document.value(at).name == name);
        *self.found.borrow_mut().entry((object, name)).or_insert_with(look)
    }

    /// A variable's value is what was sent, or its default.
    fn resolve(&self, at: usize) -> Option<Given<'m>> {
        let ValueKind::Variable(name) = self.document.value(at).kind else { return Some(Given::Written(at)) };
        if let Some(sent) = self.variables.get(name) {
            return Some(Given::Sent(sent));
        }
        self.defaults.get(name).copied().map(Given::Written)
    }

    /// A whole number, or as many as there are in a list. `null` says nothing.
    fn number(&self, path: &str, given: Given<'_>) -> Result<Option<u64>, Refusal> {
        let count = |items: usize| Some(u64::try_from(items).unwrap_or(u64::MAX));
        let found = match given {
            Given::Written(at) => match self.document.value(at).kind {
                ValueKind::Null => return Ok(None),
                // Longer than a `u64` has digits is more than any limit.
                ValueKind::Int(digits) if !digits.starts_with('-') || digits == "-0" => {
                    Some(digits.parse().unwrap_or(if digits == "-0" { 0 } else { u64::MAX }))
                }
                ValueKind::List => count(self.document.value(at).items),
                _ => None,
            },
            Given::Sent(Value::Null) => return Ok(None),
            Given::Sent(Value::Number(number)) => number.as_u64().or_else(|| {
                let number = number.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
                // Beyond what a `u64` holds it becomes the greatest there is.
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole and not negative"
                )]
                number.map(|number| number as u64)
            }),
            Given::Sent(Value::Array(list)) => count(list.len()),
            Given::Sent(_) => None,
        };
        // What cannot be read here may still be read by a lenient upstream, so it does not pass.
        let wrong = || {
            Refusal::invalid(format!("argument `{path}` is neither a whole number, from 0 on, nor a list"))
        };
        found.map(Some).ok_or_else(wrong)
    }
}
