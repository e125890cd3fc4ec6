//! From a schema of the document to one of JSON Schema 2020-12 that stands alone: with everything it refers to, and
//! nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value, json};
use sluice_sdk::prelude::*;

use crate::document::{Document, Version, check_dialect, escape, short};

/// Schemas that one may consist of, those it refers to included.
const MAX_SCHEMAS: usize = 10_000;

/// Which way a message goes: it decides what `readOnly` and `writeOnly` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// A schema that stands alone.
pub(crate) struct Closure {
    pub(crate) schema: Value,
    /// Where in the document the definitions come from.
    pub(crate) sources: Vec<String>,
    /// How many schemas it consists of.
    pub(crate) weight: usize,
}

/// Keywords of both dialects that constrain by a plain value.
const PLAIN: [&str; 14] = [
    "multipleOf",
    "maximum",
    "minimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "enum",
    "format",
];
/// Those that only 3.1 has.
const PLAIN_31: [&str; 7] = [
    "type",
    "const",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxContains",
    "minContains",
    "dependentRequired",
];

/// How a keyword holds schemas, and whether they apply to the same value.
enum Holds {
    One { in_place: bool },
    List { in_place: bool },
    Map { in_place: bool },
}

fn holds(keyword: &str, version: Version) -> Option<Holds> {
    let both = match keyword {
        "not" => Holds::One { in_place: true },
        "items" | "additionalProperties" => Holds::One { in_place: false },
        "allOf" | "anyOf" | "oneOf" => Holds::List { in_place: true },
        "properties" => Holds::Map { in_place: false },
        _ if version == Version::V30 => return None,
        "if" | "then" | "else" => Holds::One { in_place: true },
        "contains" | "propertyNames" | "unevaluatedItems" | "unevaluatedProperties" => {
            Holds::One { in_place: false }
        }
        "prefixItems" => Holds::List { in_place: false },
        "dependentSchemas" => Holds::Map { in_place: true },
        "patternProperties" => Holds::Map { in_place: false },
        _ => return None,
    };
    Some(both)
}

/// Collects what the schemas at `pointers` consist of: a schema of an object that has them as properties, by [`part`]. With
/// `read_only_refused`, a request must not carry what is `readOnly`.
pub(crate) fn close(
    document: &Document,
    pointers: &[&str],
    direction: Direction,
    read_only_refused: bool,
) -> Result<Closure> {
    let mut collector = Collector::new(document, direction, read_only_refused);
    let parts = pointers.iter().enumerate().map(|(at, pointer)| {
        let number = collector.number(pointer, false);
        (part(at), json!({ "$ref": format!("#/$defs/{number}") }))
    });
    let properties: Map<_, _> = parts.collect();
    let mut definitions = Map::new();
    collector.run(|collector, number, schema| {
        definitions.insert(number.to_string(), schema);
        let of = pointers.first().copied().unwrap_or_default();
        let weight = collector.weight;
        ensure!(weight <= MAX_SCHEMAS, "#{of}: it consists of more than {MAX_SCHEMAS} schemas");
        Ok(())
    })?;
    let schema = json!({ "properties": properties, "$defs": definitions });
    Ok(Closure { schema, sources: collector.sources, weight: collector.weight })
}

/// The name of a part in an object of several; their order is that of the names.
pub(crate) fn part(at: usize) -> String {
    format!("{at:04}")
}

/// Shows every schema that those at `pointers` consist of to `check`, once and with its place.
pub(crate) fn check_all(
    document: &Document,
    pointers: &BTreeSet<String>,
    direction: Direction,
    mut check: impl FnMut(&str, Value) -> Result<()>,
) -> Result<()> {
    let mut collector = Collector::new(document, direction, false);
    for pointer in pointers {
        collector.number(pointer, false);
    }
    collector.run(|collector, number, schema| check(&collector.sources[number], schema))
}

struct Collector<'d> {
    document: &'d Document,
    direction: Direction,
    read_only_refused: bool,
    /// Definitions by where they come from, and whether they are what remains of it when `nullable` is taken away.
    numbers: BTreeMap<(String, bool), usize>,
    sources: Vec<String>,
    /// Definitions that apply to the same value as the one that refers to them.
    edges: Vec<BTreeSet<usize>>,
    /// Where the schema at hand is, for messages.
    place: String,
    is_rest: bool,
    weight: usize,
}

impl<'d> Collector<'d> {
    fn new(document: &'d Document, direction: Direction, read_only_refused: bool) -> Self {
        Self {
            document,
            direction,
            read_only_refused,
            numbers: BTreeMap::new(),
            sources: Vec::new(),
            edges: Vec::new(),
            place: String::new(),
            is_rest: false,
            weight: 0,
        }
    }

    /// Rewrites what has a number and what that refers to, until nothing is left.
    fn run(&mut self, mut each: impl FnMut(&Self, usize, Value) -> Result<()>) -> Result<()> {
        while let Some(source) = self.sources.get(self.edges.len()).cloned() {
            let number = self.edges.len();
            let schema = self.document.at(&source)?.value()?;
            self.is_rest = self.numbers.get(&(source.clone(), true)) == Some(&number);
            self.place = source;
            self.edges.push(BTreeSet::new());
            let schema = self.rewrite(schema, Some(number))?;
            each(self, number, schema)?;
        }
        self.refuse_circles()
    }

    fn number(&mut self, pointer: &str, is_rest: bool) -> usize {
        let key = (pointer.to_owned(), is_rest);
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        let number = self.sources.len();
        self.numbers.insert(key, number);
        self.sources.push(pointer.to_owned());
        number
    }

    /// A reference to a definition, from the definition `root` if it applies to the same value.
    fn reference(&mut self, pointer: &str, is_rest: bool, root: Option<usize>) -> Value {
        let number = self.number(pointer, is_rest);
        if let Some(root) = root {
            self.edges[root].insert(number);
        }
        Value::String(format!("#/$defs/{number}"))
    }

    fn failed(&self, reason: impl std::fmt::Display) -> Error {
        Error::new(format!("#{}: {reason}", self.place))
    }

    /// `root` is the definition that this schema belongs to, if it applies to the same value.
    fn rewrite(&mut self, schema: Value, root: Option<usize>) -> Result<Value> {
        self.weight += 1;
        let mut schema = match schema {
            Value::Object(schema) => schema,
            Value::Bool(_) => return Ok(schema),
            _ => return Err(self.failed("this is not a schema")),
        };
        let mut rewritten = Map::new();
        if let Some(reference) = schema.remove("$ref") {
            rewritten.insert("$ref".to_owned(), self.refer(&reference, root)?);
            if self.document.version() == Version::V30 {
                return Ok(Value::Object(rewritten));
            }
        }
        // By the letter, `nullable` is nothing without `type`; documents mean it, and so do their clients.
        if !std::mem::take(&mut self.is_rest)
            && self.document.version() == Version::V30
            && is_nullable(&schema)
        {
            let rest = self.reference(&self.place.clone(), true, root);
            return Ok(json!({ "if": { "type": "null" }, "else": { "$ref": rest } }));
        }
        self.refuse_unknown(&schema)?;
        self.relax_required(&mut schema);
        for (keyword, value) in &schema {
            if is_plain(keyword, self.document.version()) {
                rewritten.insert(keyword.clone(), value.clone());
            }
        }
        if self.document.version() == Version::V30 {
            self.translate_30(&schema, &mut rewritten)?;
        }
        bound_integers(&schema, &mut rewritten);
        for (keyword, value) in schema {
            if let Some(how) = holds(&keyword, self.document.version()) {
                let held = self.rewrite_held(&keyword, value, &how, root)?;
                rewritten.insert(keyword, held);
            }
        }
        Ok(Value::Object(rewritten))
    }

    fn refer(&mut self, reference: &Value, root: Option<usize>) -> Result<Value> {
        let text = reference.as_str().ok_or_else(|| self.failed("`$ref` is not a string"))?;
        let target = Document::target(text).map_err(|error| self.failed(error))?;
        self.document.at(&target).map_err(|error| self.failed(error))?;
        Ok(self.reference(&target, false, root))
    }

    fn rewrite_held(
        &mut self,
        keyword: &str,
        value: Value,
        how: &Holds,
        root: Option<usize>,
    ) -> Result<Value> {
        let depth = self.place.len();
        self.place.push('/');
        self.place.push_str(keyword);
        let (Holds::One { in_place } | Holds::List { in_place } | Holds::Map { in_place }) = *how;
        let root = root.filter(|_| in_place);
        let held = match (how, value) {
            (Holds::One { .. }, value) => self.rewrite(value, root)?,
            (Holds::List { .. }, Value::Array(list)) => {
                let list = list.into_iter().enumerate();
                let list = list.map(|(index, schema)| self.rewrite_at(&index.to_string(), schema, root));
                Value::Array(list.collect::<Result<_>>()?)
            }
            (Holds::Map { .. }, Value::Object(map)) => {
                let is_property = keyword == "properties";
                let map = map.into_iter().map(|(name, schema)| {
                    if is_property && self.is_misplaced(&schema) {
                        return Ok((name, Value::Bool(false)));
                    }
                    let schema = self.rewrite_at(&escape(&name), schema, root)?;
                    Ok((name, schema))
                });
                Value::Object(map.collect::<Result<_>>()?)
            }
            _ => return Err(self.failed("this does not hold schemas as it should")),
        };
        self.place.truncate(depth);
        Ok(held)
    }

    fn rewrite_at(&mut self, token: &str, schema: Value, root: Option<usize>) -> Result<Value> {
        let depth = self.place.len();
        self.place.push('/');
        self.place.push_str(token);
        let schema = self.rewrite(schema, root)?;
        self.place.truncate(depth);
        Ok(schema)
    }

    /// What would need schemas to be found by other names than JSON pointers.
    fn refuse_unknown(&self, schema: &Map<String, Value>) -> Result<()> {
        if self.document.version() == Version::V30 {
            return Ok(());
        }
        for keyword in ["$id", "$dynamicRef", "$recursiveRef"] {
            if schema.contains_key(keyword) {
                return Err(self.failed(format_args!("`{keyword}` is not supported: refer by JSON pointer")));
            }
        }
        if schema.contains_key("$schema") {
            check_dialect(&self.document.at(&format!("{}/$schema", self.place))?)?;
        }
        Ok(())
    }

    /// A property that only goes the other way is not required this way.
    fn relax_required(&self, schema: &mut Map<String, Value>) {
        let Some(Value::Object(properties)) = schema.get("properties") else { return };
        let other_way: BTreeSet<String> = properties
            .iter()
            .filter(|(_, property)| self.goes_the_other_way(property))
            .map(|(name, _)| name.clone())
            .collect();
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.retain(|name| !name.as_str().is_some_and(|name| other_way.contains(name)));
        }
    }

    fn goes_the_other_way(&self, property: &Value) -> bool {
        let mark = if self.direction == Direction::Request { "readOnly" } else { "writeOnly" };
        if property.get(mark).and_then(Value::as_bool).unwrap_or(false) {
            return true;
        }
        let Some(target) = property.get("$ref").and_then(Value::as_str) else { return false };
        let target = Document::target(target).and_then(|pointer| self.document.at(&pointer)?.resolve());
        target.is_ok_and(|target| target.is_object() && matches!(target.flag(mark), Ok(Some(true))))
    }

    fn is_misplaced(&self, property: &Value) -> bool {
        (self.direction == Direction::Response || self.read_only_refused) && self.goes_the_other_way(property)
    }

    /// What 3.0 says in other words than JSON Schema 2020-12.
    fn translate_30(&self, schema: &Map<String, Value>, rewritten: &mut Map<String, Value>) -> Result<()> {
        if let Some(name) = schema.get("type") {
            let name = name.as_str().ok_or_else(|| self.failed("`type` is not a string"))?;
            let nullable = schema.get("nullable").and_then(Value::as_bool).unwrap_or(false);
            rewritten.insert("type".to_owned(), if nullable { json!([name, "null"]) } else { json!(name) });
        }
        for (limit, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
            match schema.get(exclusive) {
                None | Some(Value::Bool(false)) => {}
                Some(Value::Bool(true)) => {
                    if let Some(value) = rewritten.remove(limit) {
                        rewritten.insert(exclusive.to_owned(), value);
                    }
                }
                Some(_) => {
                    return Err(self.failed(format_args!("`{exclusive}` is not true or false, as in 3.0")));
                }
            }
        }
        Ok(())
    }

    /// A schema that comes back to itself without going into the value would never end.
    fn refuse_circles(&self) -> Result<()> {
        // What remains when those that refer to nothing that remains are taken away, again and again, is circles.
        let mut open: BTreeMap<usize, &BTreeSet<usize>> = self.edges.iter().enumerate().collect();
        loop {
            let before = open.len();
            let ended: BTreeSet<_> = open
                .iter()
                .filter(|(_, to)| to.iter().all(|to| !open.contains_key(to)))
                .map(|(&at, _)| at)
                .collect();
            open.retain(|at, _| !ended.contains(at));
            match open.keys().next() {
                None => return Ok(()),
                Some(&number) if open.len() == before => {
                    bail!("#{}: the schema refers to itself without an end", short(&self.sources[number]))
                }
                Some(_) => {}
            }
        }
    }
}

fn is_plain(keyword: &str, version: Version) -> bool {
    PLAIN.contains(&keyword) || (version == Version::V31 && PLAIN_31.contains(&keyword))
}

/// Whether a schema that is composed of others allows `null` as well.
fn is_nullable(schema: &Map<String, Value>) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true))
        && !schema.contains_key("type")
        && ["allOf", "anyOf", "oneOf"].iter().any(|keyword| schema.contains_key(*keyword))
}

/// `int32` and `int64` as bounds: the library asks formats of strings only.
fn bound_integers(schema: &Map<String, Value>, rewritten: &mut Map<String, Value>) {
    let (low, high) = match schema.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("int64") => (i64::MIN, i64::MAX),
        _ => return,
    };
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "which of two bounds is tighter, not the bound itself")]
    if number(rewritten.get("minimum")).is_none_or(|given| given < low as f64) {
        rewritten.insert("minimum".to_owned(), Value::Number(Number::from(low)));
    }
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    if number(rewritten.get("maximum")).is_none_or(|given| given > high as f64) {
        rewritten.insert("maximum".to_owned(), Value::Number(Number::from(high)));
    }
}

#[cfg(test)]
mod tests;
