//! Schemas of messages, as proto3 JSON writes them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sluice_sdk_protobuf::{Cardinality, Field, Kind, Known, MessageId, Pool, Step, WriteOptions};

use super::described;

/// The schemas of the messages that were referred to.
pub(super) struct Schemas<'a> {
    pool: &'a Pool,
    options: WriteOptions,
    wanted: Vec<MessageId>,
    seen: BTreeSet<MessageId>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(pool: &'a Pool, options: WriteOptions) -> Self {
        Self { pool, options, wanted: Vec::new(), seen: BTreeSet::new() }
    }

    /// The next one that was referred to and has not been written, with its name.
    pub(super) fn next(&mut self) -> Option<(&'a str, Value)> {
        let id = self.wanted.pop()?;
        let pool = self.pool;
        Some((&pool[id].name, self.message(id)))
    }

    /// The name of a field as it is written.
    pub(super) fn name(&self, field: &'a Field) -> &'a str {
        if self.options.proto_names { &field.name } else { &field.json_name }
    }

    /// The schema of a message where it is used.
    pub(super) fn reference(&mut self, id: MessageId) -> Value {
        let message = &self.pool[id];
        match message.known {
            Known::Timestamp => json!({ "type": "string", "format": "date-time" }),
            Known::Duration => json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$" }),
            Known::FieldMask => json!({ "type": "string" }),
            Known::Struct => json!({ "type": "object" }),
            Known::Value => json!({}),
            Known::ListValue => json!({ "type": "array" }),
            Known::Any => {
                json!({ "type": "object", "required": ["@type"], "properties": { "@type": { "type": "string" } } })
            }
            Known::Wrapper => {
                let of = message.fields.first().map(|field| self.value(field)).unwrap_or_default();
                json!({ "anyOf": [of, { "type": "null" }] })
            }
            Known::Plain | Known::HttpBody => {
                if self.seen.insert(id) {
                    self.wanted.push(id);
                }
                json!({ "$ref": format!("#/components/schemas/{}", message.name) })
            }
        }
    }

    fn message(&mut self, id: MessageId) -> Value {
        self.without(id, &[])
    }

    /// The schema of a message in which some fields, at the ends of these ways, are not.
    pub(super) fn without(&mut self, id: MessageId, ways: &[&[Step]]) -> Value {
        let pool = self.pool;
        let message = &pool[id];
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (place, field) in (0..).zip(&message.fields) {
            let step = Step { message: id, place };
            let within: Vec<_> = ways
                .iter()
                .filter_map(|way| way.split_first())
                .filter(|(first, _)| **first == step)
                .collect();
            if within.iter().any(|(_, rest)| rest.is_empty()) {
                continue;
            }
            let rest: Vec<_> = within.iter().map(|(_, rest)| *rest).collect();
            let schema = match field.kind.message() {
                Some(inner) if !rest.is_empty() => self.without(inner, &rest),
                _ => self.field(field),
            };
            let mut schema = described(schema, &field.comment);
            if field.is_output_only {
                schema["readOnly"] = true.into();
            }
            if field.is_deprecated {
                schema["deprecated"] = true.into();
            }
            properties.insert(self.name(field).to_owned(), schema);
            if field.is_required {
                required.push(self.name(field));
            }
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        described(schema, &message.comment)
    }

    /// All values of a field.
    pub(super) fn field(&mut self, field: &Field) -> Value {
        match field.cardinality {
            Cardinality::Single => self.value(field),
            Cardinality::Repeated => json!({ "type": "array", "items": self.value(field) }),
            Cardinality::Map => {
                let pool = self.pool;
                let value = pool.map_entry(field).map(|(_, value)| self.value(value));
                json!({ "type": "object", "additionalProperties": value.unwrap_or_default() })
            }
        }
    }

    fn value(&mut self, field: &Field) -> Value {
        match field.kind {
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "format": "uint32", "minimum": 0 }),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({ "type": "string", "format": "int64" }),
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Enum(id) => {
                let of = self.pool.enumeration(id);
                if &*of.name == "google.protobuf.NullValue" {
                    return json!({ "type": "null" });
                }
                if self.options.enum_numbers {
                    return json!({ "type": "integer", "enum": of.values.iter().map(|value| value.number).collect::<Vec<_>>() });
                }
                json!({ "type": "string", "enum": of.values.iter().map(|value| &*value.name).collect::<Vec<_>>() })
            }
            Kind::Message(id) | Kind::Group(id) => self.reference(id),
        }
    }
}
