//! The rules for query parameters, in the order in which they apply.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_template::{Source, Template, plain};

use crate::rules::Write;
use crate::write;

/// What happens to query parameters, in this order. Names are written decoded; values may contain variables.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryConfig {
    /// Parameters to remove.
    #[serde(default)]
    remove: Vec<String>,
    /// Parameters to give another name, old to new. What had the new name before is removed.
    #[serde(default)]
    rename: BTreeMap<String, String>,
    /// Parameters to give this value alone, if they are there.
    #[serde(default)]
    replace: BTreeMap<String, String>,
    /// Parameters to give this value alone, whether they are there or not.
    #[serde(default)]
    set: BTreeMap<String, String>,
    /// Parameters to give this value if they are not there.
    #[serde(default)]
    add: BTreeMap<String, String>,
    /// Parameters to give this value beside those they have.
    #[serde(default)]
    append: BTreeMap<String, String>,
}

/// Checked rules.
pub(crate) struct QueryRules {
    remove: Vec<String>,
    rename: Vec<(String, String)>,
    writes: Vec<(Write, String, Template)>,
}

impl QueryRules {
    pub(crate) fn new(config: QueryConfig, place: &str) -> Result<Self> {
        let QueryConfig { remove, rename, replace, set, add, append } = config;
        let named = remove.iter().chain(rename.iter().flat_map(|(old, new)| [old, new]));
        ensure!(!named.into_iter().any(String::is_empty), "{place}: a parameter's name is empty");
        let mut writes = Vec::new();
        for (write, list, entries) in [
            (Write::Replace, "replace", replace),
            (Write::Set, "set", set),
            (Write::Add, "add", add),
            (Write::Append, "append", append),
        ] {
            for (name, value) in entries {
                let at = || format!("{place}.{list}.{name}");
                ensure!(!name.is_empty(), "{}: the name is empty", at());
                ensure!(!value.is_empty(), "{}: the value is empty: to take it away, use `remove`", at());
                let template = Template::parse(&value).context(at())?;
                writes.push((write, name, template));
            }
        }
        Ok(Self { remove, rename: rename.into_iter().collect(), writes })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.rename.is_empty() && self.writes.is_empty()
    }

    pub(crate) fn render(&self, ctx: &Context, source: &dyn Source) -> Vec<String> {
        let render = |template: &Template| template.render_with(ctx, source, &plain).unwrap_or_default();
        self.writes.iter().map(|(_, _, template)| render(template)).collect()
    }

    /// The query after the rules; none if nothing has changed. What no rule names stays byte for byte.
    pub(crate) fn apply(&self, query: &str, values: &[String]) -> Option<String> {
        let mut pairs = Pairs::read(query);
        for name in &self.remove {
            pairs.remove(name);
        }
        for (old, new) in &self.rename {
            pairs.rename(old, new);
        }
        for ((write, name, _), value) in self.writes.iter().zip(values) {
            pairs.write(*write, name, value);
        }
        pairs.is_changed.then(|| pairs.written())
    }
}

/// A query taken apart: decoded names, and the pairs as they stand.
struct Pairs {
    pairs: Vec<(String, String)>,
    is_changed: bool,
}

impl Pairs {
    fn read(query: &str) -> Self {
        let raw = query.split('&').filter(|pair| !pair.is_empty());
        let name = |pair: &str| plain_name(pair.split_once('=').map_or(pair, |(name, _)| name));
        Self { pairs: raw.map(|pair| (name(pair), pair.to_owned())).collect(), is_changed: false }
    }

    fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known == name)
    }

    fn remove(&mut self, name: &str) {
        let before = self.pairs.len();
        self.pairs.retain(|(known, _)| known != name);
        self.is_changed |= self.pairs.len() < before;
    }

    fn rename(&mut self, old: &str, new: &str) {
        if old == new || !self.has(old) {
            return;
        }
        self.remove(new);
        for (name, pair) in self.pairs.iter_mut().filter(|(name, _)| name == old) {
            let value = pair.split_once('=').map(|(_, value)| value);
            let encoded = write::query(new);
            *pair = value.map_or_else(|| encoded.clone(), |value| format!("{encoded}={value}"));
            new.clone_into(name);
        }
        self.is_changed = true;
    }

    /// A value that came out empty, because what it refers to is missing, leaves no parameter, as with headers.
    fn write(&mut self, write: Write, name: &str, value: &str) {
        let is_there = self.has(name);
        match write {
            Write::Replace if !is_there => return,
            Write::Add if is_there => return,
            Write::Add | Write::Append if value.is_empty() => return,
            Write::Replace | Write::Set if value.is_empty() => return self.remove(name),
            _ => {}
        }
        self.is_changed = true;
        let pair = (name.to_owned(), format!("{}={}", write::query(name), write::query(value)));
        let place = self.pairs.iter().position(|(known, _)| known == name);
        match (write, place) {
            (Write::Replace | Write::Set, Some(place)) => {
                self.pairs[place] = pair;
                let mut at = 0;
                self.pairs.retain(|(known, _)| {
                    at += 1;
                    at <= place + 1 || known != name
                });
            }
            _ => self.pairs.push(pair),
        }
    }

    fn written(self) -> String {
        self.pairs.into_iter().map(|(_, pair)| pair).collect::<Vec<_>>().join("&")
    }
}

fn plain_name(encoded: &str) -> String {
    plain(sluice_sdk_template::Kind::Segment, encoded.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(config: &str, query: &str) -> Option<String> {
        let config = sluice_sdk::serde_json::from_str(config).unwrap();
        let rules = QueryRules::new(config, "query").unwrap();
        let values: Vec<_> = rules.writes.iter().map(|(_, _, template)| template.sample()).collect();
        rules.apply(query, &values)
    }

    #[test]
    fn rules_change_what_they_name_and_nothing_else() {
        for (config, query, expected) in [
            (r#"{ "remove": ["a b"] }"#, "x=%41&a+b=1&a%20b&y", Some("x=%41&y")),
            (r#"{ "remove": ["a"] }"#, "x=%41&&y", None),
            (r#"{ "rename": { "a": "b&" } }"#, "b%26=0&a=1&x&a", Some("b%26=1&x&b%26")),
            (r#"{ "replace": { "a": "1&2" } }"#, "a=7&b=1&a=8", Some("a=1%262&b=1")),
            (r#"{ "replace": { "a": "1" } }"#, "b=1", None),
            (r#"{ "set": { "a": "=" } }"#, "", Some("a=%3D")),
            (r#"{ "set": { "a": "1" } }"#, "b&a=2&c&a=3", Some("b&a=1&c")),
            (r#"{ "add": { "a": "1", "b": "2" } }"#, "b", Some("b&a=1")),
            (r#"{ "append": { "a": "é" } }"#, "a=1", Some("a=1&a=%C3%A9")),
        ] {
            assert_eq!(apply(config, query).as_deref(), expected, "{config} {query}");
        }
    }
}
