//! The upstream's answer: the part of its data that is wanted, as it is written, and its errors.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sluice_sdk::{Result, ensure};

/// A step into the data.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    Name(String),
    /// Into every item of a list.
    Each,
}

impl Step {
    pub(crate) fn parse(path: &str) -> Result<Vec<Self>> {
        let mut steps = Vec::new();
        for step in path.split('.').filter(|_| !path.is_empty()) {
            ensure!(!step.is_empty(), "`{path}` has an empty step");
            steps.push(if step == "*" { Self::Each } else { Self::Name(step.to_owned()) });
        }
        Ok(steps)
    }
}

/// What is at the end of a path.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Null,
    /// The upstream did not answer what it was asked.
    Missing,
    Value(&'a RawValue),
    List(Vec<Self>),
}

impl Found<'_> {
    pub(crate) fn write(&self, into: &mut String) {
        match self {
            Self::Null | Self::Missing => into.push_str("null"),
            Self::Value(value) => into.push_str(value.get()),
            Self::List(items) => {
                into.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        into.push(',');
                    }
                    item.write(into);
                }
                into.push(']');
            }
        }
    }
}

/// An answer of GraphQL.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) found: Found<'a>,
    pub(crate) errors: Errors,
}

/// Errors that are looked at.
pub(crate) const MOST_ERRORS: usize = 20;

/// Bytes of an error's path that is read.
const LONGEST_PATH: usize = 4_096;

/// The errors that the upstream tells: the first of them, and how many there are.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    pub(crate) first: Vec<Reported>,
    pub(crate) count: usize,
}

/// An error that the upstream tells. What is not of its type is not there.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    pub(crate) message: String,
    pub(crate) path: Option<Vec<PathStep>>,
    pub(crate) code: Option<String>,
}

/// A step of an error's path.
#[derive(Debug, Deserialize, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum PathStep {
    Name(String),
    Item(u64),
}

impl Reported {
    fn read(text: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Members<'a> {
            #[serde(borrow, default)]
            message: Option<&'a RawValue>,
            #[serde(borrow, default)]
            path: Option<&'a RawValue>,
            #[serde(borrow, default)]
            extensions: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Extensions<'a> {
            #[serde(borrow, default)]
            code: Option<&'a RawValue>,
        }
        fn of<'a, T: Deserialize<'a>>(value: Option<&'a RawValue>) -> Option<T> {
            serde_json::from_str(value?.get()).ok()
        }
        let Some(members) = of::<Members<'_>>(Some(text)) else { return Self::default() };
        let path = members.path.filter(|path| path.get().len() <= LONGEST_PATH);
        let extensions = of::<Extensions<'_>>(members.extensions);
        Self {
            message: of(members.message).unwrap_or_default(),
            path: of(path),
            code: extensions.and_then(|extensions| of(extensions.code)),
        }
    }
}

/// Reads an answer in one pass.
pub(crate) fn read<'a>(text: &'a str, path: &[Step]) -> Result<Answer<'a>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let answer = reader.deserialize_map(Envelope(path))?;
    reader.end().map(|()| answer)
}

struct Envelope<'p>(&'p [Step]);

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = Answer<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of GraphQL")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer<'de>, A::Error> {
        let (mut found, mut errors) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "data" => found = Some(map.next_value_seed(Select(self.0))?),
                "errors" => errors = map.next_value::<Option<Errors>>()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let errors = errors.unwrap_or_default();
        match found {
            Some(found) => Ok(Answer { found, errors }),
            None if errors.count > 0 => Ok(Answer { found: Found::Null, errors }),
            None => Err(A::Error::custom("it has neither `data` nor `errors`")),
        }
    }
}

impl<'de> Deserialize<'de> for Errors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Told;
        impl<'de> Visitor<'de> for Told {
            type Value = Errors;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of errors")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Errors, A::Error> {
                let mut errors = Errors::default();
                while errors.first.len() < MOST_ERRORS {
                    let Some(error) = seq.next_element::<&RawValue>()? else { break };
                    errors.first.push(Reported::read(error));
                }
                errors.count = errors.first.len();
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    errors.count += 1;
                }
                Ok(errors)
            }
        }
        deserializer.deserialize_seq(Told)
    }
}

#[derive(Clone, Copy)]
struct Select<'p>(&'p [Step]);

impl<'de> DeserializeSeed<'de> for Select<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found<'de>, D::Error> {
        if !self.0.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let value = <&RawValue>::deserialize(deserializer)?;
        Ok(if value.get() == "null" { Found::Null } else { Found::Value(value) })
    }
}

impl<'de> Visitor<'de> for Select<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("data")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Found::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Found::Missing)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Found::Missing)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Found::Missing)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Found::Missing)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Found::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let Some((Step::Each, rest)) = self.0.split_first() else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Found::Missing);
        };
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Select(rest))? {
            items.push(item);
        }
        Ok(Found::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((Step::Name(wanted), rest)) = self.0.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Found::Missing);
        };
        let mut found = Found::Missing;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if name == wanted.as_str() {
                found = map.next_value_seed(Select(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
