//! What a schema expects of a value that is written as text: `7` is a number if a number may stand there.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Number, Value};
use sluice_sdk::prelude::*;

use crate::document::Node;

/// Levels of arrays and objects that a parameter's style or a form can express, and one to spare.
const MAX_LEVELS: u8 = 3;
/// Schemas that are looked at for one shape: composition may branch.
const MAX_LOOKS: u32 = 500;

const STRING: u8 = 1;
const NUMBER: u8 = 2;
const BOOLEAN: u8 = 4;
const NULL: u8 = 8;
const ARRAY: u8 = 16;
const OBJECT: u8 = 32;

/// The outline of a schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    /// Types that may stand there; nothing said is 0.
    types: u8,
    items: Option<Box<Self>>,
    properties: BTreeMap<String, Self>,
    additional: Option<Box<Self>>,
    closed: bool,
}

static ANYTHING: Shape =
    Shape { types: 0, items: None, properties: BTreeMap::new(), additional: None, closed: false };

impl Shape {
    pub(crate) fn of(schema: &Node<'_>) -> Result<Self> {
        Self::look(schema, MAX_LEVELS, &Cell::new(MAX_LOOKS))
    }

    fn look(schema: &Node<'_>, levels: u8, looks: &Cell<u32>) -> Result<Self> {
        let schema = schema.clone().resolve()?;
        let mut shape = Self::default();
        if looks.get() == 0 || !schema.is_object() {
            return Ok(shape);
        }
        looks.set(looks.get() - 1);
        let members: BTreeMap<String, Node<'_>> = schema.members()?.into_iter().collect();
        for list in ["allOf", "anyOf", "oneOf"] {
            for part in members.get(list).map(Node::items).transpose()?.unwrap_or_default() {
                shape.merge(Self::look(&part, levels, looks)?);
            }
        }
        let types = own_types(&members)?;
        if types != 0 {
            shape.types = types;
        }
        let Some(levels) = levels.checked_sub(1) else { return Ok(shape) };
        if let Some(items) = members.get("items") {
            shape.items = Some(Box::new(Self::look(items, levels, looks)?));
        }
        if let Some(properties) = members.get("properties") {
            for (name, property) in properties.members()? {
                shape.properties.insert(name, Self::look(&property, levels, looks)?);
            }
        }
        if let Some(additional) = members.get("additionalProperties") {
            shape.closed = additional.value()? == Value::Bool(false);
            shape.additional = Some(Box::new(Self::look(additional, levels, looks)?));
        }
        Ok(shape)
    }

    fn merge(&mut self, other: Self) {
        self.types |= other.types;
        self.items = self.items.take().or(other.items);
        self.additional = self.additional.take().or(other.additional);
        self.closed |= other.closed;
        self.properties.extend(other.properties);
    }

    pub(crate) fn is_object(&self) -> bool {
        self.types & OBJECT != 0 && self.types & (STRING | NUMBER | BOOLEAN | ARRAY) == 0
    }

    /// Whether `count` values are an array here. One alone is only if nothing simpler may stand there.
    pub(crate) fn is_array(&self, count: usize) -> bool {
        self.types & ARRAY != 0 && (count > 1 || self.types & (STRING | NUMBER | BOOLEAN) == 0)
    }

    pub(crate) fn items(&self) -> &Self {
        self.items.as_deref().unwrap_or(&ANYTHING)
    }

    pub(crate) fn property(&self, name: &str) -> &Self {
        self.properties.get(name).or(self.additional.as_deref()).unwrap_or(&ANYTHING)
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }

    /// Whether other properties than those it knows may be there.
    pub(crate) fn is_open(&self) -> bool {
        !self.closed
    }

    /// The value that a text stands for.
    pub(crate) fn read(&self, text: String) -> Value {
        let number =
            || serde_json::from_str::<Number>(&text).ok().filter(|_| !text.starts_with(char::is_whitespace));
        let number = if self.types & NUMBER == 0 { None } else { number() };
        match (number, text.as_str()) {
            (Some(number), _) => Value::Number(number),
            (_, "true" | "false") if self.types & BOOLEAN != 0 => Value::Bool(text == "true"),
            (_, "" | "null") if self.types & NULL != 0 && self.types & STRING == 0 => Value::Null,
            _ => Value::String(text),
        }
    }

    /// Whether a text that looks like something else may also be meant as a text.
    pub(crate) fn may_be_text(&self) -> bool {
        self.types & STRING != 0
    }
}

fn own_types(members: &BTreeMap<String, Node<'_>>) -> Result<u8> {
    let mut types = 0;
    match members.get("type").map(Node::value).transpose()? {
        Some(Value::String(name)) => types |= named(&name),
        Some(Value::Array(names)) => {
            types |= names.iter().filter_map(Value::as_str).map(named).fold(0, |all, one| all | one);
        }
        _ => {
            let values = members.get("enum").map(Node::value).transpose()?;
            let values = values.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
            let constant = members.get("const").map(Node::value).transpose()?;
            types |= values.iter().chain(&constant).map(of_value).fold(0, |all, one| all | one);
            for (keyword, implied) in [("items", ARRAY), ("properties", OBJECT), ("pattern", STRING)] {
                types |= if types == 0 && members.contains_key(keyword) { implied } else { 0 };
            }
        }
    }
    let nullable = members.get("nullable").map(Node::value).transpose()?;
    Ok(if types != 0 && nullable == Some(Value::Bool(true)) { types | NULL } else { types })
}

fn named(name: &str) -> u8 {
    match name {
        "string" => STRING,
        "integer" | "number" => NUMBER,
        "boolean" => BOOLEAN,
        "null" => NULL,
        "array" => ARRAY,
        "object" => OBJECT,
        _ => 0,
    }
}

fn of_value(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOLEAN,
        Value::Number(_) => NUMBER,
        Value::String(_) => STRING,
        Value::Array(_) => ARRAY,
        Value::Object(_) => OBJECT,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::Document;

    pub(crate) fn shape(schema: &Value) -> Shape {
        let components = json!({ "schemas": { "S": schema, "Number": { "type": "number" } } });
        let text = json!({ "openapi": "3.1.0", "components": components }).to_string();
        let document = Document::parse(text.into()).unwrap();
        Shape::of(&document.at("/components/schemas/S").unwrap()).unwrap()
    }

    #[test]
    fn a_text_is_what_the_schema_expects() {
        for (schema, text, value) in [
            (json!({ "type": "integer" }), "7", json!(7)),
            (json!({ "type": "number" }), "-1.5e3", json!(-1500.0)),
            (json!({ "type": "integer" }), "07", json!("07")),
            (json!({ "type": "integer" }), " 7", json!(" 7")),
            (json!({ "type": "string" }), "7", json!("7")),
            (json!({ "type": "boolean" }), "true", json!(true)),
            (json!({ "type": "boolean" }), "True", json!("True")),
            (json!({ "type": ["integer", "null"] }), "", json!(null)),
            (json!({ "type": "integer", "nullable": true }), "", json!(null)),
            (json!({ "enum": [1, 2] }), "2", json!(2)),
            (json!({ "const": true }), "true", json!(true)),
            (json!({ "$ref": "#/components/schemas/Number" }), "2", json!(2)),
            (
                json!({ "anyOf": [{ "type": "boolean" }, { "$ref": "#/components/schemas/Number" }] }),
                "2",
                json!(2),
            ),
            (json!({ "allOf": [{ "type": "integer" }, { "minimum": 1 }] }), "2", json!(2)),
            (json!({}), "2", json!("2")),
            (json!(true), "2", json!("2")),
        ] {
            assert_eq!(shape(&schema).read(text.to_owned()), value, "{schema} {text}");
        }
    }

    #[test]
    fn a_schema_without_an_end_has_a_shape() {
        let itself = json!({ "$ref": "#/components/schemas/S" });
        let many: serde_json::Map<_, _> = (0..50).map(|at| (format!("p{at}"), itself.clone())).collect();
        assert!(shape(&json!({ "type": "object", "properties": many, "allOf": [itself] })).is_object());
    }
}
