//! JSON that a client sent: bounded in its values, and refused where readers differ in what it means.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Why a text was not read.
#[derive(Debug, PartialEq)]
pub(crate) enum Unreadable {
    /// Not what it should be, or a name twice in an object.
    Malformed(String),
    /// It has more values than this.
    TooMany,
}

/// The members of an object, whose values stay text. Not an object: none.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

/// Members that an object may have whose values stay text.
const MOST_MEMBERS: usize = 100;

impl<'a> Members<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value).filter(|value| value.get() != "null")
    }
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'de> Visitor<'de> for OfObject {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a name is there twice"));
                    }
                    if members.len() == MOST_MEMBERS {
                        return Err(A::Error::custom("an object has too many members"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(OfObject)
    }
}

/// Reads an object of at most so many values, `left`, which gets fewer.
pub(crate) fn object(text: &str, left: &Cell<usize>) -> Result<Map<String, Value>, Unreadable> {
    let spent = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Seed { left, spent: &spent };
    let value = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match value {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Unreadable::Malformed("not an object".to_owned())),
        Err(_) if spent.get() => Err(Unreadable::TooMany),
        Err(error) => Err(Unreadable::Malformed(error.to_string())),
    }
}

#[derive(Clone, Copy)]
struct Seed<'b> {
    left: &'b Cell<usize>,
    spent: &'b Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            self.spent.set(true);
            return Err(D::Error::custom("too many values"));
        };
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// No text is ever looked at: that there is one is enough.
    fn visit_str<E>(self, _: &str) -> Result<Value, E> {
        Ok(Value::String(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (mut members, mut names) = (Map::new(), BTreeSet::new());
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(self)?;
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("a name is there twice"));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_doubtful_or_too_much_is_refused() {
        let read = |text: &str, most| object(text, &Cell::new(most));
        assert_eq!(read(r#"{"a":[1,{"b":null}],"c":"x"}"#, 6).unwrap().len(), 2);
        assert_eq!(read(r#"{"a":[1,{"b":null}],"c":"x"}"#, 5), Err(Unreadable::TooMany));
        for text in ["", "[]", "1", "{", "{}{}", r#"{"a":1,"a":1}"#, r#"{"b":{"a":1,"\u0061":1}}"#] {
            assert!(matches!(read(text, 100), Err(Unreadable::Malformed(_))), "{text}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(read(&deep, 1_000_000), Err(Unreadable::Malformed(_))));
        let members = Members::read(r#"{"a":null,"b":[1, 2]}"#).unwrap();
        assert!(members.get("a").is_none());
        assert_eq!(members.get("b").map(RawValue::get), Some("[1, 2]"));
        assert!(Members::read(r#"{"a":1,"a":2}"#).is_err());
    }
}
