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
mod tests {
    use super::*;
    use crate::finding::{Findings, Subject};
    use crate::schemas::Schemas;

    fn document(version: &str, schemas: &Value) -> Document {
        let text = json!({ "openapi": version, "components": { "schemas": schemas } }).to_string();
        Document::parse(text.into()).unwrap()
    }

    fn accepts(document: &Document, name: &str, direction: Direction, instance: &Value) -> bool {
        let pointer = format!("/components/schemas/{name}");
        let schema = Schemas::new(true, false).get(document, &pointer, direction).unwrap();
        let mut findings = Findings::default();
        schema.check_one(instance.clone(), 1, Subject::BODY, &mut findings);
        assert_eq!(findings.is_empty(), schema.accepts(0, instance));
        findings.is_empty()
    }

    /// What schema, with `good` instances that it accepts and `bad` ones.
    fn holds_for(version: &str, cases: &[(Value, &[Value], &[Value])]) {
        for (schema, good, bad) in cases {
            let document = document(version, &json!({ "S": schema, "Int": { "type": "integer" } }));
            for (instances, expected) in [(good, true), (bad, false)] {
                for instance in *instances {
                    let accepted = accepts(&document, "S", Direction::Request, instance);
                    assert_eq!(accepted, expected, "{version} {schema} {instance}");
                }
            }
        }
    }

    #[test]
    fn the_dialect_of_3_0_is_understood() {
        holds_for(
            "3.0.3",
            &[
                (json!({ "type": "string", "nullable": true }), &[json!("a"), json!(null)], &[json!(1)]),
                (json!({ "type": "string", "nullable": false }), &[json!("a")], &[json!(null)]),
                // `nullable` adds to `type` only: without one there is nothing to add to, and `enum` still holds.
                (json!({ "nullable": true, "enum": ["a"] }), &[json!("a")], &[json!(null)]),
                (
                    json!({ "type": "string", "nullable": true, "enum": ["a", null] }),
                    &[json!(null)],
                    &[json!("b")],
                ),
                (json!({ "minimum": 1, "exclusiveMinimum": true }), &[json!(1.5), json!("a")], &[json!(1)]),
                (json!({ "minimum": 1, "exclusiveMinimum": false }), &[json!(1)], &[json!(0)]),
                (json!({ "maximum": 1, "exclusiveMaximum": true }), &[json!(0)], &[json!(1)]),
                (json!({ "exclusiveMaximum": true }), &[json!(0)], &[]),
                (
                    json!({ "nullable": true, "allOf": [{ "$ref": "#/components/schemas/Int" }], "maximum": 1 }),
                    &[json!(1), json!(null)],
                    &[json!("a"), json!(2)],
                ),
                // What stands beside a reference is ignored, and so are keywords that 3.0 does not have.
                (json!({ "$ref": "#/components/schemas/Int", "maximum": 1 }), &[json!(2)], &[json!("a")]),
                (json!({ "const": 1, "if": false, "prefixItems": [false] }), &[json!(2), json!([1])], &[]),
                (
                    json!({ "format": "int32", "type": "integer" }),
                    &[json!(-2_147_483_648_i64)],
                    &[json!(2_147_483_648_i64)],
                ),
                (json!({ "format": "int64" }), &[json!(i64::MAX)], &[json!(9_223_372_036_854_775_808_u64)]),
                (json!({ "format": "int32", "minimum": 5 }), &[json!(5)], &[json!(4)]),
                (json!({ "format": "byte" }), &[json!("YQ=="), json!("")], &[json!("YQ="), json!("Y!==")]),
                (json!({ "format": "date-time" }), &[json!("2020-01-01T00:00:00Z")], &[json!("2020-01-01")]),
                (json!({ "format": "unheard-of" }), &[json!("a")], &[]),
            ],
        );
    }

    #[test]
    fn the_dialect_of_3_1_is_that_of_json_schema() {
        holds_for(
            "3.1.0",
            &[
                (json!({ "type": ["string", "null"] }), &[json!("a"), json!(null)], &[json!(1)]),
                (json!({ "type": "string", "nullable": true }), &[json!("a")], &[json!(null)]),
                (json!({ "exclusiveMinimum": 1 }), &[json!(1.5)], &[json!(1)]),
                (
                    json!({ "$ref": "#/components/schemas/Int", "maximum": 1 }),
                    &[json!(1)],
                    &[json!(2), json!("a")],
                ),
                (json!({ "const": 1 }), &[json!(1), json!(1.0)], &[json!(2)]),
                (
                    json!({ "prefixItems": [{ "type": "string" }], "items": false }),
                    &[json!(["a"])],
                    &[json!([1]), json!(["a", 1])],
                ),
                (
                    json!({ "if": { "type": "string" }, "then": { "maxLength": 1 }, "else": { "minimum": 1 } }),
                    &[json!("a"), json!(1)],
                    &[json!("ab"), json!(0)],
                ),
                (
                    json!({ "allOf": [{ "properties": { "a": true } }], "unevaluatedProperties": false }),
                    &[json!({ "a": 1 })],
                    &[json!({ "b": 1 })],
                ),
                (
                    json!({ "dependentRequired": { "a": ["b"] } }),
                    &[json!({ "a": 1, "b": 1 })],
                    &[json!({ "a": 1 })],
                ),
                (
                    json!({ "dependentSchemas": { "a": { "required": ["b"] } } }),
                    &[json!({ "b": 1 })],
                    &[json!({ "a": 1 })],
                ),
                (
                    json!({ "patternProperties": { "^x": { "type": "string" } } }),
                    &[json!({ "xa": "" })],
                    &[json!({ "xa": 1 })],
                ),
                (json!({ "propertyNames": { "maxLength": 1 } }), &[json!({ "a": 1 })], &[json!({ "ab": 1 })]),
                (
                    json!({ "contains": { "const": 1 }, "maxContains": 1 }),
                    &[json!([1, 2])],
                    &[json!([]), json!([1, 1])],
                ),
                (
                    json!({ "$defs": { "x": { "type": "null" } }, "$ref": "#/components/schemas/S/$defs/x" }),
                    &[json!(null)],
                    &[json!(1)],
                ),
                (
                    json!({ "properties": { "$id": { "$ref": "#/components/schemas/Int" } } }),
                    &[json!({ "$id": 1 })],
                    &[json!({ "$id": "a" })],
                ),
                (json!(false), &[], &[json!(1)]),
            ],
        );
    }

    #[test]
    fn what_goes_one_way_is_not_required_the_other_way() {
        let schemas = json!({
            "S": {
                "type": "object",
                "required": ["id", "secret", "name"],
                "properties": {
                    "id": { "$ref": "#/components/schemas/Id" },
                    "secret": { "type": "string", "writeOnly": true },
                    "name": { "type": "string" },
                },
            },
            "Id": { "type": "integer", "readOnly": true },
        });
        for version in ["3.0.0", "3.1.0"] {
            let document = document(version, &schemas);
            for (direction, instance, expected) in [
                (Direction::Request, json!({ "secret": "a", "name": "b" }), true),
                (Direction::Request, json!({ "id": 1, "secret": "a", "name": "b" }), true),
                (Direction::Request, json!({ "id": 1, "name": "b" }), false),
                (Direction::Response, json!({ "id": 1, "name": "b" }), true),
                (Direction::Response, json!({ "id": 1, "secret": "a", "name": "b" }), false),
                (Direction::Response, json!({ "name": "b" }), false),
            ] {
                assert_eq!(
                    accepts(&document, "S", direction, &instance),
                    expected,
                    "{version} {direction:?} {instance}"
                );
            }
            let strict =
                Schemas::new(true, true).get(&document, "/components/schemas/S", Direction::Request).unwrap();
            assert!(!strict.accepts(0, &json!({ "id": 1, "secret": "a", "name": "b" })));
        }
    }

    #[test]
    fn a_schema_may_contain_itself_but_not_be_itself() {
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        let schemas = json!({
            "Tree": { "properties": { "left": reference("Tree"), "more": { "type": "array", "items": reference("Tree") } }, "type": "object" },
            "Same": { "allOf": [reference("Other")] },
            "Other": { "anyOf": [{ "type": "null" }, { "not": reference("Same") }] },
            "User": { "properties": { "x": reference("Same") } },
        });
        for version in ["3.0.0", "3.1.0"] {
            let document = document(version, &schemas);
            assert!(accepts(&document, "Tree", Direction::Request, &json!({ "left": { "more": [{}] } })));
            assert!(!accepts(&document, "Tree", Direction::Request, &json!({ "left": { "more": [1] } })));
            for name in ["Same", "Other", "User"] {
                let closed =
                    close(&document, &[&format!("/components/schemas/{name}")], Direction::Request, false);
                assert!(closed.err().unwrap().to_string().contains("without an end"), "{name}");
            }
        }
    }

    #[test]
    fn what_cannot_be_checked_is_refused_with_its_place() {
        for (schema, reason) in [
            (
                json!({ "properties": { "a": { "$ref": "b.json" } } }),
                "#/components/schemas/S/properties/a: `b.json` is in another",
            ),
            (json!({ "$ref": "#/components/schemas/T" }), "nothing at `#/components/schemas/T`"),
            (
                json!({ "items": { "$ref": "#anchor" } }),
                "#/components/schemas/S/items: `#anchor` names an anchor",
            ),
            (json!({ "not": { "$id": "x" } }), "#/components/schemas/S/not: `$id` is not supported"),
            (json!({ "anyOf": [{ "$dynamicRef": "#x" }] }), "#/components/schemas/S/anyOf/0: `$dynamicRef`"),
            (json!({ "allOf": {} }), "#/components/schemas/S/allOf: "),
            (
                json!({ "properties": { "a": 1 } }),
                "#/components/schemas/S/properties/a: this is not a schema",
            ),
            (json!({ "pattern": "(a" }), "#/components/schemas/S/pattern: "),
            (
                json!({ "properties": { "a": { "pattern": "(?=a)b" } } }),
                "#/components/schemas/S/properties/a/pattern: ",
            ),
            (json!({ "pattern": "(a)\\1" }), "#/components/schemas/S/pattern: "),
            (json!({ "pattern": "((a{1000}){1000}){1000}" }), "#/components/schemas/S/pattern: "),
            (json!({ "type": "text" }), "#/components/schemas/S/type: "),
            (json!({ "minLength": "1" }), "#/components/schemas/S/minLength: "),
            (json!({ "required": true }), "#/components/schemas/S/required: "),
            (json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "dialect"),
        ] {
            let document = document("3.1.0", &json!({ "S": schema }));
            let schemas = Schemas::new(true, false);
            let error = schemas.get(&document, "/components/schemas/S", Direction::Request).err();
            let error = error.unwrap_or_else(|| panic!("{schema} is accepted")).to_string();
            assert!(error.contains(reason), "{schema}: {error}");
        }
        let old = document("3.0.0", &json!({ "S": { "exclusiveMinimum": 1 } }));
        assert!(close(&old, &["/components/schemas/S"], Direction::Request, false).is_err());
    }
}
