//! Compiled schemas, made when they are first needed and kept within a bound.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value, json};
use sluice_sdk::prelude::*;

use crate::dialect::{Closure, Direction, check_all, close, part};
use crate::document::{Document, escape, short};
use crate::finding::{Finding, Findings, Subject};

/// Schemas that are kept compiled, counted with all they consist of: about 4 MiB.
const MAX_KEPT: usize = 12_000;
/// Bytes that one regular expression may take, compiled and while it runs.
const MAX_PATTERN: usize = 512 << 10;
const MAX_PATTERN_CACHE: usize = 128 << 10;
/// Values of an instance above which the first finding is the only one: the library makes all at once.
const MANY_VALUES: usize = 2_000;

/// A compiled schema.
pub(crate) struct Schema {
    validator: Validator,
    sources: Vec<String>,
    weight: usize,
}

/// The schemas of a document by pointer.
pub(crate) struct Schemas {
    formats: bool,
    read_only_refused: bool,
    kept: RefCell<Kept>,
}

#[derive(Default)]
struct Kept {
    schemas: BTreeMap<(Direction, String), (u64, Rc<Schema>)>,
    weight: usize,
    uses: u64,
}

impl Schemas {
    pub(crate) fn new(formats: bool, read_only_refused: bool) -> Self {
        Self { formats, read_only_refused, kept: RefCell::default() }
    }

    /// The schema at `pointer`, compiled, as part 0.
    pub(crate) fn get(&self, document: &Document, pointer: &str, direction: Direction) -> Result<Rc<Schema>> {
        // What only refers to a component is that component, for all operations.
        let node = document.at(pointer)?;
        let alone = node.is_object() && node.members()?.len() == 1;
        let pointer = if alone { node.resolve()?.pointer().to_owned() } else { pointer.to_owned() };
        self.group(document, &pointer, &[&pointer], direction)
    }

    /// Several schemas, compiled together: most of what compiling takes does not depend on how much is compiled.
    pub(crate) fn group(
        &self,
        document: &Document,
        name: &str,
        pointers: &[&str],
        direction: Direction,
    ) -> Result<Rc<Schema>> {
        let mut kept = self.kept.borrow_mut();
        kept.uses += 1;
        let now = kept.uses;
        let key = (direction, name.to_owned());
        if let Some((used, schema)) = kept.schemas.get_mut(&key) {
            *used = now;
            return Ok(Rc::clone(schema));
        }
        let schema = Rc::new(self.compile(close(document, pointers, direction, self.read_only_refused)?)?);
        kept.make_room(schema.weight);
        kept.weight += schema.weight;
        kept.schemas.insert(key, (now, Rc::clone(&schema)));
        Ok(schema)
    }

    /// Checks all schemas at `pointers` as far as compiling them would. To compile them all takes too long: what several share
    /// would be compiled for each.
    pub(crate) fn test(
        &self,
        document: &Document,
        pointers: &BTreeSet<String>,
        direction: Direction,
    ) -> Result<()> {
        let mut patterns = BTreeMap::new();
        let meta = jsonschema::draft202012::meta::validator();
        check_all(document, pointers, direction, |place, schema| {
            if let Err(error) = meta.validate(&schema) {
                bail!("#{place}{}: {}", error.instance_path(), short(&error.to_string()));
            }
            note_patterns(&schema, place, &mut patterns);
            Ok(())
        })?;
        let compile = |patterns: Vec<Value>| {
            let closure = Closure { schema: json!({ "allOf": patterns }), sources: Vec::new(), weight: 1 };
            self.compile(closure).map(drop)
        };
        // All at once, which is quick; one by one only to find the one that is wrong.
        let schema = |pattern: &String| json!({ "pattern": pattern });
        if compile(patterns.keys().map(schema).collect()).is_err() {
            for (pattern, place) in &patterns {
                compile(vec![schema(pattern)])
                    .map_err(|error| Error::new(format!("#{place}/pattern{error}")))?;
            }
        }
        Ok(())
    }

    fn compile(&self, closure: Closure) -> Result<Schema> {
        let Closure { schema, sources, weight } = closure;
        // Time in the length of the text, whatever the expression: what would need more is refused here.
        let patterns = PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN_CACHE);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(self.formats)
            // Compiling what a client sends is not a check worth its cost.
            .with_format("regex", |_| true)
            .with_format("byte", is_base64)
            .with_pattern_options(patterns)
            .build(&schema);
        let validator = validator.map_err(|error| {
            let place = source(&sources, error.instance_path().as_str());
            Error::new(format!("{}: {}", place.unwrap_or_default(), short(&error.to_string())))
        })?;
        Ok(Schema { validator, sources, weight })
    }
}

/// Notes every regular expression of a schema, with its place.
fn note_patterns(schema: &Value, place: &str, patterns: &mut BTreeMap<String, String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(pattern) if name == "pattern" => {
                        patterns.entry(pattern.clone()).or_insert_with(|| place.to_owned());
                    }
                    Value::Object(inner) if name == "patternProperties" => {
                        for pattern in inner.keys() {
                            patterns.entry(pattern.clone()).or_insert_with(|| place.to_owned());
                        }
                        note_patterns(value, &format!("{place}/{name}"), patterns);
                    }
                    Value::Object(_) | Value::Array(_) => {
                        note_patterns(value, &format!("{place}/{}", escape(name)), patterns);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                note_patterns(value, &format!("{place}/{index}"), patterns);
            }
        }
        _ => {}
    }
}

impl Kept {
    fn make_room(&mut self, weight: usize) {
        while self.weight + weight > MAX_KEPT {
            let oldest = self.schemas.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            let Some((_, schema)) = oldest.and_then(|key| self.schemas.remove(&key)) else { break };
            self.weight -= schema.weight;
        }
    }
}

impl Schema {
    /// Whether it accepts an instance of one of its parts.
    pub(crate) fn accepts(&self, at: usize, instance: &Value) -> bool {
        self.validator.is_valid(&json!({ part(at): instance }))
    }

    /// Adds what is wrong with `instance`, which holds about `values` values, as part 0.
    pub(crate) fn check_one(
        &self,
        instance: Value,
        values: usize,
        subject: Subject<'_>,
        findings: &mut Findings,
    ) {
        let parts = Map::from_iter([(part(0), instance)]);
        self.check(&Value::Object(parts), values, &|_| subject, findings);
    }

    /// Adds what is wrong with instances of its parts; `subject` says what a part is.
    pub(crate) fn check<'a>(
        &self,
        parts: &Value,
        values: usize,
        subject: &dyn Fn(usize) -> Subject<'a>,
        findings: &mut Findings,
    ) {
        if self.validator.is_valid(parts) {
            return;
        }
        if values > MANY_VALUES {
            if let Err(error) = self.validator.validate(parts) {
                findings.push(self.finding(&error, subject));
            }
            return;
        }
        for error in self.validator.iter_errors(parts) {
            findings.push(self.finding(&error, subject));
            if findings.is_full() {
                break;
            }
        }
    }

    fn finding<'a>(&self, error: &ValidationError<'_>, subject: &dyn Fn(usize) -> Subject<'a>) -> Finding {
        // The first token is the part.
        let path = error.instance_path().as_str().strip_prefix('/').unwrap_or_default();
        let (part, pointer) = path.split_at(path.find('/').unwrap_or(path.len()));
        Finding {
            pointer: pointer.to_owned(),
            message: message(error),
            schema_pointer: source(&self.sources, error.schema_path().as_str()),
            ..subject(part.parse().unwrap_or_default()).finding("")
        }
    }
}

fn message(error: &ValidationError<'_>) -> String {
    match error.kind() {
        // The only schemas of the kind that the dialect's translation makes itself.
        ValidationErrorKind::FalseSchema if error.schema_path().as_str().contains("/properties/") => {
            "is not to be sent this way".to_owned()
        }
        // Masked: the value is not repeated, it may be a secret.
        _ => short(&error.masked().to_string()),
    }
}

/// Where in the document a place of the compiled schema comes from.
fn source(sources: &[String], place: &str) -> Option<String> {
    let rest = place.strip_prefix("/$defs/")?;
    let (number, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some(format!("#{}{rest}", sources.get(number.parse::<usize>().ok()?)?))
}

/// RFC 4648 section 4.
fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - data.len() <= 2
        && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}
