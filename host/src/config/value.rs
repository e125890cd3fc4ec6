//! A plugin's configuration: JSON that remembers where each of its values was written.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::explain::{self, Finding, Kind};
use super::places::Places;
use super::problem::{Place, Problem};

/// The configuration of a plugin or of one step.
#[derive(Clone)]
pub(crate) struct ConfigValue {
    json: Arc<Value>,
    places: Arc<Places>,
    whole: Option<Place>,
    /// A part of it could not be read, so that what seems to be missing may be there.
    incomplete: bool,
}

/// Pieces from outside that are shorter are no secrets, and blotting them out would make messages unreadable.
const SHORTEST_SECRET: usize = 4;

impl ConfigValue {
    /// A table whose places have pointers from its root; without a table, `whole` is where it could stand.
    pub(super) fn new(table: Map<String, Value>, places: Places, whole: Option<Place>) -> Self {
        let whole = places.value("").or(whole);
        Self { json: Arc::new(Value::Object(table)), places: Arc::new(places), whole, incomplete: false }
    }

    /// A value that was not read from a file, so that its problems have no place.
    pub(crate) fn detached(json: Value) -> Self {
        Self { json: Arc::new(json), places: Arc::new(Places::default()), whole: None, incomplete: false }
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
            .incomplete(self.incomplete || over.incomplete)
    }

    /// Notes whether a part of it could not be read.
    pub(super) fn incomplete(mut self, incomplete: bool) -> Self {
        self.incomplete |= incomplete;
        self
    }

    /// Whether some of it could not be read, so that there is no use in showing it to its plugin.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.incomplete || self.places.faulty().next().is_some()
    }

    /// A text of the plugin's own without what it was given from the environment or from files.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secret = |piece: &&str| piece.chars().count() >= SHORTEST_SECRET;
        // Plugins quote what they show, so a piece may come back with escapes.
        let mut pieces: Vec<String> = (self.places.outside().filter(secret))
            .flat_map(|piece| {
                let quoted = Value::from(piece).to_string();
                let json = quoted.trim_matches('"').to_owned();
                [piece.to_owned(), json, piece.escape_debug().to_string()]
            })
            .collect();
        // The longest first: one piece may be part of another.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
        pieces.iter().fold(text.to_owned(), |text, piece| text.replace(piece.as_str(), "…"))
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
            .filter(|finding| !self.is_echo(finding))
            .map(|finding| match finding.problem.place {
                Some(_) => finding.problem,
                None => self.at_whole(finding.problem),
            })
            .collect()
    }

    /// Whether a finding is about a value that could not be read, which was reported where it was read.
    fn is_echo(&self, finding: &Finding) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let missing = matches!(finding.kind, Kind::Missing(_));
        let of_faulty = |faulty: &str| {
            within(&finding.pointer, faulty)
                || (finding.kind == Kind::Value && within(faulty, &finding.pointer))
        };
        (self.incomplete && missing) || self.places.faulty().any(of_faulty)
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
