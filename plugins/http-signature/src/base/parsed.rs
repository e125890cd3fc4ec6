//! What of a request has to be parsed for components: each field and the query once, however many components are of them.

use std::collections::BTreeMap;

use sfv::Dictionary;

use super::query;
use crate::component::{Component, Form, Shape};
use crate::message::Message;
use crate::structured::{self, Structure, Structured};

/// Dictionaries by field, and values of query parameters by encoded name.
pub(super) struct Parsed<'c> {
    dictionaries: BTreeMap<&'c str, Dictionary>,
    parameters: BTreeMap<&'c str, String>,
}

impl<'c> Parsed<'c> {
    pub(super) fn of(
        components: &'c [Component],
        message: &Message,
        known: &Structured,
    ) -> Result<Self, String> {
        let mut dictionaries = BTreeMap::new();
        let mut wanted = Vec::new();
        for component in components {
            match &component.shape {
                Shape::QueryParam(name) => wanted.push(name.as_str()),
                Shape::Field(name, Form::Strict | Form::Member(_))
                    if known.of(name) == Some(Structure::Dictionary)
                        && !dictionaries.contains_key(name.as_str()) =>
                {
                    let dictionary = structured::dictionary(&message.combined(name)?);
                    let dictionary =
                        dictionary.ok_or_else(|| format!("the field `{name}` is not a dictionary"))?;
                    dictionaries.insert(name.as_str(), dictionary);
                }
                _ => {}
            }
        }
        let query = message.query.as_deref().unwrap_or_default();
        Ok(Self { dictionaries, parameters: query::values(query, &wanted)? })
    }

    pub(super) fn dictionary(&self, name: &str) -> Result<&Dictionary, String> {
        self.dictionaries.get(name).ok_or_else(|| format!("`{name}` is not known to be a dictionary"))
    }

    pub(super) fn parameter(&self, name: &str) -> Result<String, String> {
        self.parameters.get(name).cloned().ok_or_else(|| "the query has no such parameter".to_owned())
    }
}
