//! A plugin's configuration: JSON that remembers where each of its values was written.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::explain;
use super::places::Places;
use super::problem::{Place, Problem};

/// The configuration of a plugin or of one step.
#[derive(Clone)]
pub(crate) struct ConfigValue {
    json: Arc<Value>,
    places: Arc<Places>,
    whole: Option<Place>,
}

impl ConfigValue {
    /// A table whose places have pointers from its root; without a table, `whole` is where it could stand.
    pub(super) fn new(table: Map<String, Value>, places: Places, whole: Option<Place>) -> Self {
        let whole = places.value("").or(whole);
        Self { json: Arc::new(Value::Object(table)), places: Arc::new(places), whole }
    }

    /// A value that was not read from a file, so that its problems have no place.
    pub(crate) fn detached(json: Value) -> Self {
        Self { json: Arc::new(json), places: Arc::new(Places::default()), whole: None }
    }

    /// This configuration with the keys of `over` laid over it.
    pub(super) fn overlaid(&self, over: &Self) -> Self {
        let mut table = self.json.as_object().cloned().unwrap_or_default();
        if let Some(other) = over.json.as_object() {
            table.extend(other.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let mut places = Places::clone(&self.places);
        places.overlay(Places::clone(&over.places));
        Self::new(table, places, over.whole.clone().or_else(|| self.whole.clone()))
    }

    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    /// Everything in which this does not follow `schema`. `what` it belongs to is named in the messages.
    pub(crate) fn check(&self, schema: &Value, what: &str) -> Vec<Problem> {
        let validator = match explain::validator(schema) {
            Ok(validator) => validator,
            Err(reason) => {
                let problem = Problem::new(format!("the schema of {what} is not valid: {reason}"));
                return vec![self.at_whole(problem)];
            }
        };
        let findings = explain::check(&validator, schema, &self.json, &self.places, Some(what));
        findings
            .into_iter()
            .map(|finding| match finding.problem.place {
                Some(_) => finding.problem,
                None => self.at_whole(finding.problem),
            })
            .collect()
    }

    fn at_whole(&self, problem: Problem) -> Problem {
        match &self.whole {
            Some(place) => problem.at(place.clone()),
            None => problem,
        }
    }

    /// Where the value at a JSON pointer was written, or what is around it.
    #[cfg(test)]
    pub(crate) fn place(&self, pointer: &str) -> Option<Place> {
        self.places.value(pointer).or_else(|| self.whole())
    }

    /// Where the configuration was written, or the step or plugin that has none.
    pub(crate) fn whole(&self) -> Option<Place> {
        self.whole.clone()
    }
}

impl PartialEq for ConfigValue {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

/// Values may hold secrets from the environment, so only the keys are shown.
impl fmt::Debug for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.json.as_object().into_iter().flat_map(Map::keys);
        f.debug_set().entries(keys).finish()
    }
}
