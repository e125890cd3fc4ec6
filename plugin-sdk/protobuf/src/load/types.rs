//! Messages, their fields, and enums.

use crate::pool::{Cardinality, Enum, EnumValue, Field, Kind, Message, MessageId, Pool, TypeId};
use crate::{Fields, Value, json};

use super::features::{Features, IN_FIELD};
use super::{Found, SetError, scoped};

/// A field's descriptor.
#[derive(Default)]
struct Raw<'a> {
    name: &'a str,
    extendee: &'a str,
    number: u32,
    label: u64,
    kind: u64,
    type_name: &'a str,
    options: &'a [u8],
    oneof: Option<u16>,
    json_name: Option<&'a str>,
    is_optional: bool,
}

/// What options say of a field.
#[derive(Default)]
struct Options {
    packed: Option<bool>,
    is_deprecated: bool,
    is_required: bool,
    is_output_only: bool,
}

const REQUIRED: u64 = 2;
const REPEATED: u64 = 3;
/// `google.api.field_behavior`.
const FIELD_BEHAVIOR: u32 = 1_052;

/// Whether it is the entry of a map.
pub(super) fn is_map_entry(found: &Found<'_>) -> Result<bool, SetError> {
    for field in Fields::new(found.bytes) {
        let (7, Value::Bytes(options)) = field? else { continue };
        for option in Fields::new(options) {
            if let (7, Value::Varint(1)) = option? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

pub(super) fn enumeration(found: &Found<'_>) -> Result<Enum, SetError> {
    let mut values = Vec::new();
    for field in Fields::new(found.bytes) {
        let (2, Value::Bytes(value)) = field? else { continue };
        let (mut name, mut number) = ("", 0);
        for field in Fields::new(value) {
            match field? {
                (1, value) => name = value.text().unwrap_or_default(),
                #[expect(clippy::cast_possible_truncation, reason = "an int32 is as many bits of it")]
                (2, Value::Varint(value)) => number = value as i32,
                _ => {}
            }
        }
        values.push(EnumValue { name: name.into(), number });
    }
    let count = u16::try_from(values.len())
        .map_err(|_| SetError::Nonsense(format!("enum `{}` has too many values", found.name)))?;
    let mut by_name: Vec<_> = (0..count).collect();
    let mut by_number = by_name.clone();
    by_name.sort_by(|a, b| values[usize::from(*a)].name.cmp(&values[usize::from(*b)].name));
    by_number.sort_by_key(|place| values[usize::from(*place)].number);
    by_number.dedup_by_key(|place| values[usize::from(*place)].number);
    Ok(Enum {
        is_null: found.name == "google.protobuf.NullValue",
        name: found.name.as_str().into(),
        comment: found.comment.as_str().into(),
        values: values.into(),
        by_name: by_name.into(),
        by_number: by_number.into(),
    })
}

impl<'a> Raw<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, SetError> {
        let mut raw = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (1, value) => raw.name = value.text().unwrap_or_default(),
                (2, value) => raw.extendee = value.text().unwrap_or_default(),
                (3, Value::Varint(number)) => raw.number = u32::try_from(number).unwrap_or_default(),
                (4, Value::Varint(label)) => raw.label = label,
                (5, Value::Varint(kind)) => raw.kind = kind,
                (6, value) => raw.type_name = value.text().unwrap_or_default(),
                (8, Value::Bytes(options)) => raw.options = options,
                (9, Value::Varint(oneof)) => raw.oneof = u16::try_from(oneof).ok(),
                (10, value) => raw.json_name = value.text(),
                (17, Value::Varint(optional)) => raw.is_optional = optional != 0,
                _ => {}
            }
        }
        if raw.number == 0 || raw.name.is_empty() {
            return Err(SetError::Nonsense(format!("field `{}` has no number", raw.name)));
        }
        Ok(raw)
    }
}

impl Options {
    fn read(bytes: &[u8]) -> Result<Self, SetError> {
        let mut options = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (2, Value::Varint(packed)) => options.packed = Some(packed != 0),
                (3, Value::Varint(deprecated)) => options.is_deprecated = deprecated != 0,
                (FIELD_BEHAVIOR, Value::Varint(behavior)) => options.behave(behavior),
                (FIELD_BEHAVIOR, Value::Bytes(packed)) => {
                    let mut behaviors = Fields::new(packed);
                    while !behaviors.is_empty() {
                        options.behave(behaviors.varint()?);
                    }
                }
                _ => {}
            }
        }
        Ok(options)
    }

    fn behave(&mut self, behavior: u64) {
        self.is_required |= behavior == 2;
        self.is_output_only |= behavior == 3;
    }
}

impl Pool {
    pub(super) fn read_message(
        &self,
        found: &Found<'_>,
        extensions: Vec<Field>,
        is_entry: &[bool],
    ) -> Result<Message, SetError> {
        let mut fields = extensions;
        let is_entry_itself = is_map_entry(found)?;
        let mut place = 0;
        for field in Fields::new(found.bytes) {
            let (2, Value::Bytes(bytes)) = field? else { continue };
            let raw = Raw::read(bytes)?;
            let mut field = self.field(&raw, found.features, is_entry, None)?;
            field.comment = found.field_comments.get(&place).map(String::as_str).unwrap_or_default().into();
            // What editions say of messages within messages does not hold within a map's entries.
            if let (Kind::Group(id), true) = (field.kind, is_entry_itself) {
                field.kind = Kind::Message(id);
            }
            fields.push(field);
            place += 1;
        }
        let count = u16::try_from(fields.len())
            .map_err(|_| SetError::Nonsense(format!("message `{}` has too many fields", found.name)))?;
        fields.sort_by_key(|field| field.number);
        if let Some(pair) = fields.windows(2).find(|pair| pair[0].number == pair[1].number) {
            let number = pair[0].number;
            return Err(SetError::Nonsense(format!("message `{}` has two fields {number}", found.name)));
        }
        if is_entry_itself && !matches!(&*fields, [key, value] if key.number == 1 && value.number == 2) {
            return Err(SetError::Nonsense(format!("map entry `{}` is none", found.name)));
        }
        let mut message = Message {
            name: found.name.as_str().into(),
            known: found.known(),
            fields: fields.into(),
            comment: found.comment.as_str().into(),
            by_name: Box::default(),
        };
        let mut by_name: Vec<_> = (0..count).flat_map(|place| [(place, false), (place, true)]).collect();
        // Of two fields of one name the one that has it in JSON comes first.
        by_name.sort_by(|a, b| {
            message.name_of(a.0, a.1).cmp(message.name_of(b.0, b.1)).then_with(|| a.1.cmp(&b.1))
        });
        by_name.dedup_by(|b, a| message.name_of(a.0, a.1) == message.name_of(b.0, b.1));
        message.by_name = by_name.into();
        Ok(message)
    }

    /// A field of a message that stands elsewhere, and the message. `None` if the message is not there, as of options.
    pub(super) fn extension(
        &self,
        scope: &str,
        bytes: &[u8],
        features: Features,
    ) -> Result<Option<(MessageId, Field)>, SetError> {
        let raw = Raw::read(bytes)?;
        let extendee = raw.extendee.strip_prefix('.').unwrap_or(raw.extendee);
        let is_option = extendee.starts_with("google.protobuf.") && extendee.ends_with("Options");
        let Some(id) = self.message(extendee).filter(|_| !is_option) else { return Ok(None) };
        Ok(Some((id, self.field(&raw, features, &[], Some(scope))?)))
    }

    /// A field. One that is an extension has a name in brackets.
    fn field(
        &self,
        raw: &Raw<'_>,
        outer: Features,
        is_entry: &[bool],
        extends: Option<&str>,
    ) -> Result<Field, SetError> {
        let options = Options::read(raw.options)?;
        let features = outer.changed(raw.options, IN_FIELD)?;
        let kind = self.kind(raw, features)?;
        let is_map =
            kind.message().is_some_and(|id| is_entry.get(id.0 as usize).copied().unwrap_or_default());
        let cardinality = match raw.label {
            REPEATED if is_map => Cardinality::Map,
            REPEATED => Cardinality::Repeated,
            _ => Cardinality::Single,
        };
        let is_single = cardinality == Cardinality::Single;
        // A map's entries are never delimited.
        let kind = if let (Kind::Group(id), true) = (kind, is_map) { Kind::Message(id) } else { kind };
        let (name, json_name) = match extends {
            Some(scope) => {
                let name = format!("[{}]", scoped(scope, raw.name));
                (name.clone(), name)
            }
            None => (raw.name.to_owned(), raw.json_name.map_or_else(|| camel_case(raw.name), str::to_owned)),
        };
        Ok(Field {
            number: raw.number,
            keys: [json::key(&json_name), json::key(&name)],
            name: name.into(),
            json_name: json_name.into(),
            kind,
            cardinality,
            has_presence: is_single
                && (kind.message().is_some()
                    || raw.oneof.is_some()
                    || raw.is_optional
                    || features.explicit_presence),
            oneof: raw.oneof.filter(|_| !raw.is_optional),
            is_required: raw.label == REQUIRED || features.required || options.is_required,
            is_output_only: options.is_output_only,
            is_deprecated: options.is_deprecated,
            comment: Box::default(),
            packed: !is_single && kind.is_packable() && options.packed.unwrap_or(features.packed),
        })
    }

    fn kind(&self, raw: &Raw<'_>, features: Features) -> Result<Kind, SetError> {
        Ok(match raw.kind {
            1 => Kind::Double,
            2 => Kind::Float,
            3 => Kind::Int64,
            4 => Kind::Uint64,
            5 => Kind::Int32,
            6 => Kind::Fixed64,
            7 => Kind::Fixed32,
            8 => Kind::Bool,
            9 => Kind::String,
            12 => Kind::Bytes,
            13 => Kind::Uint32,
            15 => Kind::Sfixed32,
            16 => Kind::Sfixed64,
            17 => Kind::Sint32,
            18 => Kind::Sint64,
            10 | 11 | 14 | 0 => match self.resolve(raw.type_name)? {
                TypeId::Enum(id) => Kind::Enum(id),
                TypeId::Message(id) if raw.kind == 10 || features.delimited => Kind::Group(id),
                TypeId::Message(id) => Kind::Message(id),
            },
            other => return Err(SetError::Nonsense(format!("field `{}` has the type {other}", raw.name))),
        })
    }
}

/// The name in JSON where the descriptor does not say it.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        match letter {
            '_' => raise = true,
            letter => {
                camel.push(if raise { letter.to_ascii_uppercase() } else { letter });
                raise = false;
            }
        }
    }
    camel
}
