//! The types of a descriptor set, as translation wants them: by number, by name, and with what is written for them ready.

use std::collections::HashMap;

/// A message type of a [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub(crate) u32);

/// An enum type of a [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnumId(pub(crate) u32);

/// The types and services of a descriptor set, and the well-known ones.
#[derive(Debug, Default)]
pub struct Pool {
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) services: Vec<Service>,
    pub(crate) names: HashMap<Box<str>, TypeId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeId {
    Message(MessageId),
    Enum(EnumId),
}

/// A message type.
#[derive(Debug)]
pub struct Message {
    /// The full name, without a dot before it.
    pub name: Box<str>,
    /// What is particular about it.
    pub known: Known,
    /// Its fields, by number.
    pub fields: Box<[Field]>,
    /// What its comment says, if the descriptor set has comments.
    pub comment: Box<str>,
    /// Names to fields, sorted: place, and whether it is the name in the `.proto`.
    pub(crate) by_name: Box<[(u16, bool)]>,
}

/// Messages whose JSON is particular.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// A message as all others.
    #[default]
    Plain,
    /// `google.protobuf.Any`.
    Any,
    /// `google.protobuf.Timestamp`.
    Timestamp,
    /// `google.protobuf.Duration`.
    Duration,
    /// `google.protobuf.FieldMask`.
    FieldMask,
    /// `google.protobuf.Struct`.
    Struct,
    /// `google.protobuf.Value`.
    Value,
    /// `google.protobuf.ListValue`.
    ListValue,
    /// One of those that hold a single value.
    Wrapper,
    /// `google.api.HttpBody`: as all others in JSON, but not to those who translate HTTP.
    HttpBody,
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its number.
    pub number: u32,
    /// Its name in the `.proto`.
    pub name: Box<str>,
    /// Its name in JSON.
    pub json_name: Box<str>,
    /// The type of its value, or of each.
    pub kind: Kind,
    /// How many values it has.
    pub cardinality: Cardinality,
    /// Whether unset differs from the default value.
    pub has_presence: bool,
    /// The `oneof` that it is a member of.
    pub oneof: Option<u16>,
    /// Whether it is `required`: of proto2, or by `google.api.field_behavior`.
    pub is_required: bool,
    /// Whether only answers have it (`OUTPUT_ONLY`).
    pub is_output_only: bool,
    /// Whether it is deprecated.
    pub is_deprecated: bool,
    /// What its comment says, if the descriptor set has comments.
    pub comment: Box<str>,
    pub(crate) packed: bool,
    /// `"name":` as it is written, in camel case and as in the `.proto`.
    pub(crate) keys: [Box<[u8]>; 2],
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// One or none.
    Single,
    /// A list.
    Repeated,
    /// A map; its kind is the message of its entries.
    Map,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the types of protocol buffers")]
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
    /// A message between tags instead of with its length.
    Group(MessageId),
}

/// An enum type.
#[derive(Debug)]
pub struct Enum {
    /// The full name, without a dot before it.
    pub name: Box<str>,
    /// Its values in the order of the `.proto`.
    pub values: Box<[EnumValue]>,
    /// What its comment says, if the descriptor set has comments.
    pub comment: Box<str>,
    /// Places of the first value of each number, sorted by it.
    pub(crate) by_number: Box<[u16]>,
    /// Places, sorted by name.
    pub(crate) by_name: Box<[u16]>,
    pub(crate) is_null: bool,
}

/// A value of an enum.
#[derive(Debug)]
pub struct EnumValue {
    /// Its name.
    pub name: Box<str>,
    /// Its number.
    pub number: i32,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    /// The full name, without a dot before it.
    pub name: Box<str>,
    /// Its methods.
    pub methods: Box<[Method]>,
    /// What its comment says, if the descriptor set has comments.
    pub comment: Box<str>,
}

/// A method of a service.
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: Box<str>,
    /// What it takes.
    pub input: MessageId,
    /// What it answers.
    pub output: MessageId,
    /// Whether it takes a stream.
    pub client_streaming: bool,
    /// Whether it answers with a stream.
    pub server_streaming: bool,
    /// Its `MethodOptions` as they lie in the set: extensions are read by their number.
    pub options: Box<[u8]>,
    /// What its comment says, if the descriptor set has comments.
    pub comment: Box<str>,
}

impl Pool {
    /// A message type by its full name.
    #[must_use]
    pub fn message(&self, name: &str) -> Option<MessageId> {
        match self.names.get(name)? {
            TypeId::Message(id) => Some(*id),
            TypeId::Enum(_) => None,
        }
    }

    /// The services of the set, in its order.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// An enum type.
    #[must_use]
    pub fn enumeration(&self, id: EnumId) -> &Enum {
        &self[id]
    }

    /// The key and the value of a map's entries.
    #[must_use]
    pub fn map_entry(&self, field: &Field) -> Option<(&Field, &Field)> {
        let (Cardinality::Map, Kind::Message(id)) = (field.cardinality, field.kind) else { return None };
        match &*self[id].fields {
            [key, value] => Some((key, value)),
            _ => None,
        }
    }

    /// The field of a single value that a [wrapper](Known::Wrapper) has.
    #[must_use]
    pub fn wrapped(&self, id: MessageId) -> Option<&Field> {
        let message = &self[id];
        if message.known == Known::Wrapper { message.fields.first() } else { None }
    }
}

impl std::ops::Index<MessageId> for Pool {
    type Output = Message;

    fn index(&self, id: MessageId) -> &Message {
        &self.messages[id.0 as usize]
    }
}

impl std::ops::Index<EnumId> for Pool {
    type Output = Enum;

    fn index(&self, id: EnumId) -> &Enum {
        &self.enums[id.0 as usize]
    }
}

impl Message {
    /// A field by its name in JSON or in the `.proto`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(usize, &Field)> {
        let key = |&(place, proto): &(u16, bool)| self.name_of(place, proto);
        let found = self.by_name.binary_search_by(|entry| key(entry).cmp(name)).ok()?;
        let place = usize::from(self.by_name[found].0);
        Some((place, &self.fields[place]))
    }

    /// A field by its number.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Option<(usize, &Field)> {
        let place = self.place(number)?;
        Some((place, &self.fields[place]))
    }

    #[inline]
    pub(crate) fn place(&self, number: u32) -> Option<usize> {
        // Numbers begin at one and have no gaps mostly.
        let guess = (number as usize).wrapping_sub(1);
        if self.fields.get(guess).is_some_and(|field| field.number == number) {
            return Some(guess);
        }
        self.fields.binary_search_by_key(&number, |field| field.number).ok()
    }

    pub(crate) fn name_of(&self, place: u16, proto: bool) -> &str {
        let field = &self.fields[usize::from(place)];
        if proto { &field.name } else { &field.json_name }
    }
}

impl Enum {
    /// The number of a value by its name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i32> {
        let found = self.by_name.binary_search_by(|place| (*self.values[usize::from(*place)].name).cmp(name));
        Some(self.values[usize::from(self.by_name[found.ok()?])].number)
    }

    /// The number of a value by its name in any case.
    #[must_use]
    pub fn number_in_any_case(&self, name: &str) -> Option<i32> {
        let mut values = self.values.iter();
        Some(values.find(|value| value.name.eq_ignore_ascii_case(name))?.number)
    }

    /// The name of a number; of several the first.
    #[must_use]
    pub fn name(&self, number: i32) -> Option<&str> {
        let found =
            self.by_number.binary_search_by_key(&number, |place| self.values[usize::from(*place)].number);
        Some(&self.values[usize::from(self.by_number[found.ok()?])].name)
    }
}

impl Field {
    /// Whether it can have several values.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.cardinality != Cardinality::Single
    }
}

impl Kind {
    /// The message, if it is one.
    #[must_use]
    pub fn message(self) -> Option<MessageId> {
        match self {
            Self::Message(id) | Self::Group(id) => Some(id),
            _ => None,
        }
    }

    /// How its values are written when they are not packed.
    pub(crate) fn wire(self) -> u32 {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => crate::wire::FIXED64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => crate::wire::FIXED32,
            Self::String | Self::Bytes | Self::Message(_) => crate::wire::BYTES,
            Self::Group(_) => crate::wire::GROUP,
            _ => crate::wire::VARINT,
        }
    }

    pub(crate) fn is_packable(self) -> bool {
        !matches!(self.wire(), crate::wire::BYTES | crate::wire::GROUP)
    }
}

impl Known {
    pub(crate) fn of(name: &str) -> Self {
        if name == "google.api.HttpBody" {
            return Self::HttpBody;
        }
        match name.strip_prefix("google.protobuf.") {
            Some("Any") => Self::Any,
            Some("Timestamp") => Self::Timestamp,
            Some("Duration") => Self::Duration,
            Some("FieldMask") => Self::FieldMask,
            Some("Struct") => Self::Struct,
            Some("Value") => Self::Value,
            Some("ListValue") => Self::ListValue,
            Some(
                "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value"
                | "BoolValue" | "StringValue" | "BytesValue",
            ) => Self::Wrapper,
            _ => Self::Plain,
        }
    }

    /// Whether in an `Any` it stands as `value`, not as the object's members. An empty message does too.
    pub(crate) fn is_particular(self) -> bool {
        !matches!(self, Self::Plain | Self::HttpBody)
    }
}
